"""What the audit log says about a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q

from accounts.models import User
from audit.models import Event
from privacy.sections import CHUNK, Section


def held_about(user: User) -> list[Section]:
    """For the person's export: what they did, and what was done to their account."""
    return [
        Section("security_log", "What you did, and what was done to your account.", _events(user), ("audit.Event",))
    ]


def _events(user: User) -> Iterator[dict[str, Any]]:
    """Without what belongs to others: who of the staff acted and from where, and what the person did to somebody else."""
    subject = {"subject_type": user._meta.label_lower, "subject_id": str(user.pk)}
    for event in (
        Event.objects.filter(Q(actor_id=user.pk) | Q(**subject)).order_by("at", "pk").iterator(chunk_size=CHUNK)
    ):
        own = event.actor_id == user.pk
        about_self = event.subject_id == str(user.pk)
        yield {
            "at": event.at,
            "kind": event.kind,
            "by": "you" if own else "somebody else" if event.actor_id else "nobody known",
            "about": "you" if about_self else event.subject_type,
            "address": event.address if own or event.actor_id is None else None,
            "detail": event.detail if about_self else None,
        }
