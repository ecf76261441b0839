"""Refusals of this app."""

from config.problems import Conflict


class AnotherPending(Conflict):
    code, title = "approval_pending", "Another proposal waits"
    detail = "Another proposal about the same thing waits for a decision. Decide that one first."


class Decided(Conflict):
    code, title = "approval_decided", "Already decided"
    detail = "This was decided already, in the other way."


class PromotionOver(Conflict):
    code, title = "promotion_over", "The promotion is over"
    detail = (
        "Until this was decided, the credit's end has passed: nobody could spend it. Reject this, and propose it anew."
    )


class NotYours(Conflict):
    code, title = "approval_own", "Somebody else has to decide"
    detail = "What you proposed, or what is for yourself, somebody else has to decide."
