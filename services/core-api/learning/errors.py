"""Refusals about who may learn what."""

from config.problems import Conflict


class AlreadyEnrolled(Conflict):
    code, title = "already_enrolled", "Already enrolled"
    detail = "You have this course already."
