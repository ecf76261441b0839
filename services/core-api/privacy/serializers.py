"""Shapes of this app's requests."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.serializers import PasswordField


class EraseRequest(serializers.Serializer[Any]):
    current_password = PasswordField()
    forfeit_credit = serializers.BooleanField(
        default=False,
        help_text="Give up what the wallet still holds; without it, 409 `credit_left` says how much that is.",
    )
