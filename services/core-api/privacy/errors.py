"""Refusals of this app."""

from config.problems import Conflict


class CreditLeft(Conflict):
    code, title = "credit_left", "There is credit left"
    detail = "The wallet still holds credit. Spend it, or give up what is left (forfeit_credit)."


class CoursesLeft(Conflict):
    code, title = "courses_left", "There are courses left"
    detail = "Some courses have no other instructor. Have somebody else made one, or delete drafts, first."


class AdminStays(Conflict):
    code, title = "admin_stays", "An admin is not erased"
    detail = (
        "This account has the admin role. Have another admin take it away first, so that nobody locks everybody out."
    )
