"""What this app refuses."""

from config.problems import Conflict


class NoVideoLesson(Conflict):
    code, title = "not_a_video_lesson", "Not a video lesson"
    detail = "Only a lesson of kind video has a video."


class NothingToRetry(Conflict):
    code, title = "nothing_to_retry", "Nothing to retry"
    detail = "The lesson's newest video has not failed."
