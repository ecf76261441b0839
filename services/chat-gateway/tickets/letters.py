"""The mails that people get about tickets. core-api sends them: they are handed over in the transaction that they are about.

They name tickets by number, never by a subject or a message: what is written in a ticket can be erased, a mail cannot.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings

from tickets.models import new_id

# core-api's published.queue_mail, as deploy/contracts.md has it, and the parameters that `mail` makes.
QUEUE_MAIL = "published.queue_mail(%(mail)s, %(person)s, %(kind)s, %(subject)s, %(text)s)"


def unread(person: uuid.UUID, number: int, messages: int, *, agent: bool) -> dict[str, Any]:
    """Somebody has `messages` unread ones in ticket `number`."""
    some = "There is a message" if messages == 1 else f"There are {messages} messages"
    where = f"{settings.PUBLIC_URL}/admin/support/" if agent else settings.PUBLIC_URL
    text = (
        f"{some} in support ticket {number} that you have not read.",
        f"Read and answer at {where}",
        "Until you have read them there will be no further mail about this ticket's messages.",
    )
    return _mail(person, "ticket_unread", f"Unread messages in support ticket {number}", *text)


def closes(person: uuid.UUID, number: int, closes_at: datetime) -> dict[str, Any]:
    """The learner did not answer in ticket `number`."""
    text = (
        f"Your support ticket {number} waits for your answer. If nobody writes in it, it will be closed on "
        f"{closes_at:%d %B %Y at %H:%M} UTC.",
        f"Do you still need help? Answer at {settings.PUBLIC_URL}",
        "A closed ticket can be reopened.",
    )
    return _mail(person, "ticket_closes", f"Support ticket {number} is about to be closed", *text)


def _mail(person: uuid.UUID, kind: str, subject: str, *text: str) -> dict[str, Any]:
    return {
        "mail": new_id(),
        "person": person,
        "kind": kind,
        "subject": subject,
        "text": "\n\n".join(text) + "\n",
    }
