"""Refusals about who may learn what."""

from config.problems import Conflict, Problem


class AlreadyEnrolled(Conflict):
    code, title = "already_enrolled", "Already enrolled"
    detail = "You have this course already."


class EnrolmentOver(Conflict):
    code, title = "enrolment_over", "Enrolment over"
    detail = "It has ended, and an ended enrolment is not taken up again: grant the course anew."


class NotLonger(Conflict):
    code, title = "not_longer", "Not longer"
    detail = "It lasts longer than that already. Extending never takes time away."


class CertificateRevoked(Problem):
    status, code, title = 410, "certificate_revoked", "Certificate revoked"
    detail = "This certificate was revoked: it is not valid."


class AlreadyReviewed(Conflict):
    code, title = "already_reviewed", "Already reviewed"
    detail = "You have reviewed this course. Change your review instead (PATCH /reviews/<id>/)."


class ReviewHidden(Conflict):
    code, title = "review_hidden", "Review hidden"
    detail = "Your review was hidden by the staff, and is not changed or taken back any more. Ask support about it."
