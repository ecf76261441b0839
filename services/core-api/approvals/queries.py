"""Reads of proposals."""

from __future__ import annotations

from django.db.models import Q

from accounts.models import User
from approvals.models import Approval
from privacy.sections import Section, rows


def held_about(user: User) -> list[Section]:
    """For the person's export: what was proposed for them, or by them."""
    found = Approval.objects.filter(Q(person=user) | Q(proposed_by=user) | Q(decided_by=user)).order_by("id")
    fields = ("id", "kind", "state", "amount", "days", "reason", "proposed_at", "decided_at", "note")
    told = rows(found, *fields, person="person_id", order="order_id", topup="topup_id", enrolment="enrolment_id")
    return [
        Section("approvals", "Refunds, adjustments and extensions that were proposed.", told, ("approvals.Approval",))
    ]
