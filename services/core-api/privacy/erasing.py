"""Erasing a person: whatever says who they were goes, what the books need stays under a name that says nothing.

All of core-api's part is one transaction. The others erase theirs when they learn of `published.principal.erased_at`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import CASCADE, Q
from django.utils import timezone

from accounts import attempts
from accounts.models import PasswordResetRequest, User
from accounts.passwords import check_current_password
from accounts.roles import ADMIN
from accounts.sessions import end_sessions
from audit.actions import record
from audit.kinds import Kind
from courses import search
from courses.queries import sole_instructor_of
from learning.erasure import do_end_all
from learning.reviews import do_forget as do_forget_reviews
from payments.erasure import do_forget_checkouts
from privacy.errors import AdminStays, CoursesLeft, CreditLeft
from wallet.erasure import do_close
from wallet.ledger import lock_wallet
from wallet.locking import money_transaction
from wallet.queries import spendable

# Rows that point at a person and outlive their erasure, and why. Everything else that does is deleted: it CASCADEs.
KEPT = {
    "wallet.Wallet.user": "the books: its postings are chained to it",
    "wallet.Order.user": "the books",
    "wallet.Posting.caused_by": "the books: a posting is never changed",
    "wallet.Redemption.user": "the books: a coupon's uses are counted",
    "payments.TopUp.user": "the books: the payment provider has it, too",
    "payments.Reversal.requested_by": "the books",
    **dict.fromkeys(
        ("approvals.Approval.person", "approvals.Approval.proposed_by", "approvals.Approval.decided_by"),
        "the books: who decided about money",
    ),
    "learning.Enrolment.user": "an order line has its enrolment; it is ended",
    "media.VideoAsset.uploaded_by": "the course needs the video; the uploader is an id without a name",
    "published.PlaybackSession.user": "stream-gateway's, which erases its own",
    "published.Upload.owner": "as well",
}


def erase_me(user: User, current_password: str, *, forfeit_credit: bool) -> None:
    """The person erases themselves. Raises WrongPassword, TooManyRequests, AdminStays, CoursesLeft, CreditLeft, Busy."""
    check_current_password(user, current_password)
    erase(user, user, forfeit_credit=forfeit_credit)


def erase(user: User, by: User | None, *, forfeit_credit: bool, reason: str = "") -> bool:
    """Erases a person here, once and for all; False if that was done before. Raises AdminStays, CoursesLeft, CreditLeft, Busy.

    `by`: who asked for it; None: a command. Their access ends everywhere within a second of the commit.
    """
    with money_transaction():
        wallet = lock_wallet(user)  # the first lock, as in every movement of credit
        current = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if current.erased_at is not None:
            return False
        check_may_be_erased(current)
        if (left := spendable(wallet)) and not forfeit_credit:
            raise CreditLeft(f"The wallet holds {left} credits. Spend them, or give up what is left (forfeit_credit).")
        forfeited = do_close(wallet, current, by)
        _do_erase(current)
        record(Kind.ERASED, actor=by, subject=current, forfeited=forfeited, **({"reason": reason} if reason else {}))
        return True


def check_may_be_erased(user: User) -> None:
    """Refuses an admin, so that nobody locks everybody out, and whoever is a course's only instructor."""
    if user.is_superuser or user.groups.filter(name=ADMIN).exists():
        raise AdminStays
    if courses := sole_instructor_of(user):
        raise CoursesLeft(
            f"These courses have no other instructor: {', '.join(courses)}. Have somebody else made one, or delete drafts, first."
        )


def belongings() -> Iterator[Any]:
    """The relations whose rows go with their person. All others must stand in KEPT (a test sees to it)."""
    for relation in relations():
        if relation.on_delete is CASCADE and relation.related_model._meta.managed:
            yield relation


def relations() -> Iterator[Any]:
    """Every foreign key to a person, those of many-to-many tables among them."""
    for relation in User._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete and (relation.one_to_many or relation.one_to_one):
            yield relation


def _do_erase(user: User) -> None:
    attempts.forget(user)
    PasswordResetRequest.objects.filter(Q(email__iexact=user.email) | Q(email__iexact=user.username)).delete()
    do_end_all(user)
    do_forget_reviews(user)
    do_forget_checkouts(user)
    end_sessions(user.login_sessions.all(), "erased")  # waits for refreshes under way, so that none adds a token below
    for relation in belongings():
        relation.related_model._base_manager.filter(**{relation.field.name: user}).delete()
    search.do_forget(user.username, user.name)
    former = [user.username, user.email]
    _do_make_anonymous(user)
    _do_rename_in_admin_history(former, user.username)


def _do_make_anonymous(user: User) -> None:
    """The row stays, for whatever points at it. Its update tells the gateways."""
    user.username = f"erased-{secrets.token_hex(6)}"  # not of the id: nobody can take the name beforehand
    user.email = f"{user.username}@erased.invalid"  # RFC 2606: reaches nobody
    user.name = ""
    user.email_verified_at = user.last_login = None
    user.is_active = user.is_staff = False
    user.generation += 1
    user.erased_at = timezone.now()
    user.set_unusable_password()
    user.save()


def _do_rename_in_admin_history(former: list[str], alias: str) -> None:
    """Django's own history of changes keeps how a row was called when it was changed."""
    for name in former:
        whole = re.compile(rf"(?<![\w.@-]){re.escape(name)}(?![\w@-])", re.IGNORECASE)
        for entry in LogEntry.objects.filter(Q(object_repr__icontains=name) | Q(change_message__icontains=name)):
            entry.object_repr = whole.sub(alias, entry.object_repr)[:200]
            entry.change_message = whole.sub(alias, entry.change_message)
            entry.save(update_fields=["object_repr", "change_message"])
