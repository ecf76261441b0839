"""The way out of mails that nobody has to get: a link in each of them, and the mail program's own button (RFC 8058).

Only mails about unread chat messages are such. A signature says whose link it is, so it needs no log-in, no row, and no end:
all that it is good for is that these mails stop.
"""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from django.conf import settings
from django.core.signing import BadSignature, Signer

from accounts.models import User
from mail.models import Mail

KINDS = ("ticket_unread",)


def whole_text(message: Mail) -> str:
    """What is sent; empty where it was sent and forgotten."""
    if message.kind not in KINDS or not message.text:
        return message.text
    return f"{message.text}\n-- \nNo more mails about unread messages: {address(message.user_id)}\n"


def headers(message: Mail) -> dict[str, str]:
    if message.kind not in KINDS:
        return {}
    return {
        "List-Unsubscribe": f"<{address(message.user_id)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def address(person: uuid.UUID) -> str:
    """Of the page with the button; a POST there, by whoever has the link, ends these mails."""
    return f"{settings.PUBLIC_URL}/account/unsubscribe/?{urlencode({'token': _signer().sign(person.hex)})}"


def whose(token: str) -> User | None:
    """Whom the link is of, unless they are erased."""
    try:
        person = uuid.UUID(_signer().unsign(token))
    except (BadSignature, ValueError):
        return None
    return User.objects.filter(pk=person, erased_at__isnull=True).first()


def _signer() -> Signer:
    return Signer(salt="mail.unsubscribe")
