"""What this app refuses."""

from config.problems import Conflict, Forbidden


class NotEnrolled(Forbidden):
    code, title = "not_enrolled", "Not enrolled"
    detail = "This lesson belongs to a course that you do not have."


class CourseIncomplete(Conflict):
    code, title = "course_incomplete", "Course incomplete"
    detail = "The course cannot be published yet: `errors` names what is missing."


class CourseSold(Conflict):
    code, title = "course_sold", "Course in use"
    detail = (
        "People have this course, so it cannot be deleted. Withdraw it from sale instead (POST /courses/<slug>/unpublish/):"
        " those who have it keep it."
    )
