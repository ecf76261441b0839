"""What is held about a person as such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accounts.models import TotpDevice, User
from privacy.sections import Section, rows


def held_about(user: User) -> list[Section]:
    """For the person's export."""
    return [
        Section("profile", "Who you are here.", _profile(user), ("accounts.User",)),
        Section(
            "logins",
            "Your logins: from where, with what, until when.",
            rows(
                user.login_sessions.order_by("created_at"),
                *("id", "address", "user_agent", "created_at", "last_used_at", "ended_at", "end_reason"),
            ),
            ("accounts.LoginSession",),
        ),
        Section(
            "mailed_links",
            "Links that were mailed to you, without their secret.",
            rows(user.mailed_tokens.order_by("created_at"), "purpose", "email", "created_at", "expires_at", "spent_at"),
            ("accounts.MailedToken",),
        ),
        Section(
            "known_devices",
            "When you last logged in from each device that would not be news; what it is cannot be read from what is kept.",
            rows(user.known_devices.order_by("last_login_at"), "last_login_at"),
            ("accounts.KnownDevice",),
        ),
        Section(
            "authenticator_app",
            "Your authenticator app, without its key.",
            rows(TotpDevice.objects.filter(user=user), "created_at", "confirmed_at"),
            ("accounts.TotpDevice",),
        ),
    ]


def _profile(user: User) -> Iterator[dict[str, Any]]:
    fields = (
        "id",
        "username",
        "email",
        "email_verified_at",
        "name",
        "chat_mails",
        "date_joined",
        "last_login",
        "is_active",
        "is_staff",
    )
    yield {name: getattr(user, name) for name in fields} | {
        "roles": user.role_names(),
        "permissions": sorted(user.get_all_permissions()),
    }
