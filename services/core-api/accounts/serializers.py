"""Shapes of accounts' requests and answers."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from accounts import mailed_tokens
from accounts.models import LoginSession, User
from accounts.names import (
    check_not_reserved,
    normalise_email,
    normalise_password,
    normalise_username,
    validate_username,
)

MAX_PASSWORD = 256  # characters: hashing longer ones would cost the server, not the attacker


class PasswordField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, trim_whitespace=False, max_length=MAX_PASSWORD, **kwargs)


class AddressField(serializers.EmailField):
    """Normalised first, so that what is looked at is what will be kept: NFKC makes eighteen letters of one, or a comma."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return normalise_email(super().to_internal_value(data))


class RegisterRequest(serializers.Serializer[User]):
    username = serializers.CharField(max_length=40)
    email = AddressField()
    password = PasswordField()

    def validate_username(self, username: str) -> str:
        username = normalise_username(username)
        validate_username(username)
        check_not_reserved(username)
        return username

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        person = User(username=attrs["username"], email=attrs["email"])
        try:
            validate_password(normalise_password(attrs["password"]), person)
        except DjangoValidationError as error:
            raise serializers.ValidationError({"password": error.messages}) from error
        return attrs


class Registered(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "email"]


class TokenRequest(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=254, help_text="The username or the e-mail address.")
    password = PasswordField()
    otp = serializers.CharField(
        max_length=40,
        default="",
        allow_blank=True,
        help_text="A code of the authenticator app, or a recovery code, of those who have one.",
    )


class RefreshRequest(serializers.Serializer[Any]):
    refresh = serializers.CharField(max_length=200)
    attempt = serializers.CharField(
        max_length=100,
        required=False,
        help_text="A random text for this exchange. Sent again within 10 s, it gets the same new token again.",
    )


class LogoutRequest(serializers.Serializer[Any]):
    refresh = serializers.CharField(max_length=200)


class TokenPair(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()


class AdminSessionToken(serializers.Serializer[Any]):
    access = serializers.CharField(help_text="For ten minutes, and no longer than the admin site's session.")


class PasswordChangeRequest(serializers.Serializer[Any]):
    current_password = PasswordField()
    new_password = PasswordField()


class PasswordResetAsked(serializers.Serializer[Any]):
    email = AddressField()


class PasswordResetConfirmed(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=200, help_text="From the mail: what follows `#token=` in its link.")
    new_password = PasswordField()


class EmailVerifyRequest(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=200, help_text="From the mail: what follows `#token=` in its link.")


class Session(serializers.ModelSerializer[LoginSession]):
    device = serializers.CharField(source="user_agent", help_text="What the device said of itself (User-Agent).")
    current = serializers.SerializerMethodField(help_text="Whether it is the one of this request.")

    class Meta:
        model = LoginSession
        fields = ["id", "device", "address", "created_at", "last_used_at", "current"]

    def get_current(self, session: LoginSession) -> bool:
        return bool(session.pk == self.context["request"].auth.session_id)


class ChangeMe(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    email = AddressField(required=False, help_text="Takes effect when the link that is mailed there has been opened.")
    current_password = PasswordField(required=False, help_text="Needed to change `email`.")
    chat_mails = serializers.BooleanField(
        required=False, help_text="Whether mails come about messages in support tickets that were not read."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "email" in attrs and "current_password" not in attrs:
            raise serializers.ValidationError({"current_password": "Send it with another e-mail address."})
        return attrs


class Me(serializers.ModelSerializer[User]):
    email_verified = serializers.SerializerMethodField()
    email_pending = serializers.SerializerMethodField(help_text="Where a mail went that makes it the address.")
    roles = serializers.ListField(child=serializers.CharField(), source="role_names", read_only=True)
    permissions = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = [
            "id",
            "username",
            "email",
            "email_verified",
            "email_pending",
            "name",
            "chat_mails",
            "roles",
            "permissions",
        ]
        read_only_fields = fields

    def get_email_verified(self, user: User) -> bool:
        return user.email_verified_at is not None

    def get_email_pending(self, user: User) -> str | None:
        return mailed_tokens.pending_email(user)

    def get_permissions(self, user: User) -> list[str]:
        return sorted(user.get_all_permissions())
