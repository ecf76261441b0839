"""What is held of the mails to a person."""

from __future__ import annotations

from accounts.models import User
from mail.models import Mail
from privacy.sections import Section, rows


def held_about(user: User) -> list[Section]:
    """For the person's export. Without the texts: one that was not sent yet may hold a link that is worth a log-in."""
    sent = Mail.objects.filter(user=user).order_by("created_at")
    shown = rows(sent, "kind", "to", "subject", "status", "created_at", "sent_at")
    return [
        Section(
            "mails", "Mails to you of the last 30 days; texts are forgotten when they are sent.", shown, ("mail.Mail",)
        )
    ]
