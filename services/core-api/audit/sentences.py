"""An event of the audit log as a sentence, for whoever reads it."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import CharField, Value
from django.db.models.functions import Cast

from audit.kinds import Kind
from audit.models import Event

USER = "accounts.user"
# What an event may be about and can be called by one column. What is not here is called by its kind and its id.
NAMED_BY = {
    USER: "username",
    "auth.group": "name",
    "courses.course": "title",
    "courses.section": "title",
    "courses.lesson": "title",
    "courses.category": "name",
    "support.category": "name",
    "payments.creditpack": "name",
    "payments.providerevent": "event_id",
}
# {subject} is who or what it was done to, {whose} the same as an owner; {actor} did it; the rest is the event's detail.
# A kind that has no sentence here is told by its name.
SENTENCES: dict[str, str] = {
    Kind.REGISTERED: "{actor} registered",
    Kind.LOGIN: "{actor} logged in",
    Kind.LOGIN_FAILED: "A login as {subject} failed",
    Kind.LOGIN_REFUSED: "A login as {subject} was refused, after too many attempts",
    Kind.LOGOUT: "{actor} logged out",
    Kind.LOGOUT_EVERYWHERE: "{actor} logged {subject} out everywhere",
    Kind.SESSION_ENDED: "{actor} ended one of their own logins",
    Kind.TOKEN_REUSED: "A refresh token of {subject} was used again: somebody may have stolen it",
    Kind.PASSWORD_CHANGED: "{actor} changed {whose} password",
    Kind.PASSWORD_RESET_ASKED: "Somebody asked for a new password for {subject}",
    Kind.PASSWORD_RESET: "{actor} chose a new password, by a link in a mail",
    Kind.EMAIL_CHANGE_ASKED: "{actor} asked for another e-mail address",
    Kind.EMAIL_CHANGED: "{actor} changed {whose} e-mail address",
    Kind.EMAIL_VERIFIED: "{actor} confirmed their e-mail address",
    Kind.TOTP_ADDED: "{actor} set up an authenticator app",
    Kind.TOTP_REMOVED: "{actor} removed {whose} authenticator app",
    Kind.RECOVERY_CODES_REPLACED: "{actor} replaced {whose} recovery codes",
    Kind.FAILED_LOGINS_FORGOTTEN: "{actor} had {whose} failed logins forgotten",
    Kind.DEACTIVATED: "{actor} deactivated {subject}",
    Kind.ACTIVATED: "{actor} reactivated {subject}",
    Kind.ROLES_CHANGED: "{actor} changed what {subject} may do",
    Kind.KEY_ROTATED: "{actor} rotated the signing key",
    Kind.EXPORT: "{actor} exported {whose} data",
    Kind.ERASED: "{actor} erased {subject}",
    Kind.ADMIN_ADDED: "{actor} added {subject}",
    Kind.ADMIN_CHANGED: "{actor} changed {subject}",
    Kind.ADMIN_DELETED: "{actor} deleted {subject}",
    Kind.ENROLMENT_GRANTED: "{actor} granted {subject} a course",
    Kind.ENROLMENT_REVOKED: "{actor} revoked {whose} enrolment",
    Kind.ENROLMENT_EXTENDED: "{actor} extended {whose} enrolment",
    Kind.CERTIFICATE_REVOKED: "{actor} revoked {whose} certificate",
    Kind.CERTIFICATE_REINSTATED: "{actor} reinstated {whose} certificate",
    Kind.REVIEW_HIDDEN: "{actor} hid {whose} review of a course",
    Kind.REVIEW_SHOWN: "{actor} showed {whose} review of a course again",
    Kind.APPROVAL_ASKED: "{actor} proposed {what} for {subject}",
    Kind.APPROVAL_GIVEN: "{actor} approved {what} for {subject}",
    Kind.APPROVAL_REFUSED: "{actor} refused {what} for {subject}",
    Kind.WALLET_ADJUSTED: "{actor} adjusted {whose} wallet by {credits}",
    Kind.PROMOTION_GRANTED: "{actor} gave {subject} {credits} promotional credits",
    Kind.REFUND: "{actor} refunded {credits} credits to {subject}",
    Kind.TOPUP_REFUND: "{actor} refunded a top-up of {subject}: {credits} credits",
    Kind.CLAWBACK: "{credits} credits of {subject} went back with the money",
    Kind.PAYMENT_HANDLED: "{actor} handled {subject} by hand",
    Kind.PLAYBACK_ENDED: "{actor} ended {whose} playback",
    Kind.PACKAGING_RETRIED: "{actor} had {subject} packaged again",
    Kind.VIDEO_SET: "{actor} uploaded a video for {subject}",
    Kind.MAIL_SENT_AGAIN: "{actor} had a mail to {subject} sent again",
}
Names = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Told:
    """What a reader sees of one event."""

    actor: str
    subject: str
    summary: str


def tell(events: Iterable[Event]) -> dict[uuid.UUID, Told]:
    """Each event by its id, in words. One query for all the names in them."""
    events = list(events)
    names = _names(events)
    return {event.pk: _tell(event, names) for event in events}


def _tell(event: Event, names: Names) -> Told:
    actor = "The system" if event.actor_id is None else _called(USER, str(event.actor_id), names)
    subject = _called(event.subject_type, event.subject_id, names) if event.subject_type else "nobody known"
    own = event.subject_type == USER and event.subject_id == str(event.actor_id)
    words: dict[str, Any] = defaultdict(str, event.detail if isinstance(event.detail, dict) else {})
    sentence = SENTENCES.get(event.kind)
    if sentence is None:
        sentence = "{actor}: " + event.kind.replace("_", " ") + (", {subject}" if event.subject_type else "")
    by_themselves = own and sentence.startswith("{actor}")
    words |= {"actor": actor, "subject": "themselves" if by_themselves else subject}
    words["whose"] = "their own" if by_themselves else f"{subject}'s"
    return Told(actor, subject, sentence.format_map(words))


def _called(label: str, pk: str, names: Names) -> str:
    name = names.get((label, _bare(pk)))
    if label == USER:
        return name or f"somebody who is gone ({pk[:8]})"
    model = label.partition(".")[2]
    kind = str(apps.get_model(label)._meta.verbose_name) if _exists(label) else model
    return f"the {kind} “{name}”" if name else f"a {kind} ({pk[:8]})"


def _names(events: list[Event]) -> Names:
    wanted: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.actor_id:
            wanted[USER].add(str(event.actor_id))
        if event.subject_type in NAMED_BY:
            wanted[event.subject_type].add(event.subject_id)
    queries = [_query(label, ids) for label, ids in sorted(wanted.items())]
    if not queries:
        return {}
    return {(label, _bare(pk)): name for label, pk, name in queries[0].union(*queries[1:], all=True)}


def _query(label: str, ids: set[str]) -> Any:
    model = apps.get_model(label)
    rows = model._base_manager.filter(pk__in=ids).order_by()
    told = {"event_label": Value(label, CharField()), "event_pk": Cast("pk", CharField())}
    return rows.annotate(**told, event_name=Cast(NAMED_BY[label], CharField())).values_list(
        "event_label", "event_pk", "event_name"
    )


def _bare(pk: str) -> str:
    return pk.replace("-", "")  # SQLite keeps UUIDs without hyphens


def _exists(label: str) -> bool:
    try:
        apps.get_model(label)
    except (LookupError, ValueError):
        return False
    return True
