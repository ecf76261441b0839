"""What this app refuses."""

from config.problems import Conflict


class NoVideoLesson(Conflict):
    code, title = "not_a_video_lesson", "Not a video lesson"
    detail = "Only a lesson of kind video has a video."


class UploadUnfinished(Conflict):
    code, title = "upload_unfinished", "Upload not finished"
    detail = "Not all of the file has come yet. Finish the upload, then send this again."


class UploadUsed(Conflict):
    code, title = "upload_used", "Upload used already"
    detail = "Another lesson has this upload as its video. Upload the file again for this one."


class NothingToRetry(Conflict):
    code, title = "nothing_to_retry", "Nothing to retry"
    detail = "The lesson's newest video has not failed."
