"""Reads of proposals."""

from __future__ import annotations

from accounts.models import User
from approvals.models import Approval
from privacy.sections import Section, rows


def held_about(user: User) -> list[Section]:
    """For the person's export: what was proposed for them. What they proposed or decided for others the audit log tells."""
    found = Approval.objects.filter(person=user).order_by("id")
    fields = ("id", "kind", "state", "amount", "expires_at", "days", "reason", "proposed_at", "decided_at", "note")
    told = rows(found, *fields, order="order_id", topup="topup_id", enrolment="enrolment_id")
    return [
        Section("approvals", "Refunds, adjustments and extensions that were proposed.", told, ("approvals.Approval",))
    ]
