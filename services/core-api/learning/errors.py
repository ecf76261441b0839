"""Refusals about who may learn what."""

from config.problems import Conflict


class AlreadyEnrolled(Conflict):
    code, title = "already_enrolled", "Already enrolled"
    detail = "You have this course already."


class EnrolmentOver(Conflict):
    code, title = "enrolment_over", "Enrolment over"
    detail = "It has ended, and an ended enrolment is not taken up again: grant the course anew."


class NotLonger(Conflict):
    code, title = "not_longer", "Not longer"
    detail = "It lasts longer than that already. Extending never takes time away."
