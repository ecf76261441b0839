"""Reads about payments."""

from __future__ import annotations

from accounts.models import User
from payments.models import Reversal, TopUp
from privacy.sections import Section, rows


def held_about(user: User) -> list[Section]:
    """For the person's export."""
    shown = rows(
        TopUp.objects.filter(user=user).order_by("created_at"),
        *(
            "id",
            "pack",
            "provider",
            "provider_reference",
            "status",
            "credits",
            "amount",
            "currency",
            "created_at",
            "paid_at",
        ),
    )
    returned = rows(
        Reversal.objects.filter(topup__user=user).order_by("created_at"),
        *("id", "topup_id", "kind", "stage", "amount", "credits", "owed", "created_at", "closed_at"),
    )
    return [
        Section("topups", "Credit that you bought; amounts in cents.", shown, ("payments.TopUp",)),
        Section("reversals", "Money that went back to you.", returned, ("payments.Reversal",)),
    ]
