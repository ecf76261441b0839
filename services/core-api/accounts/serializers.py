"""Shapes of accounts' requests and answers."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from accounts.models import User
from accounts.names import normalise_email, normalise_password, normalise_username, validate_username

MAX_PASSWORD = 256  # characters: hashing longer ones would cost the server, not the attacker


class PasswordField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, trim_whitespace=False, max_length=MAX_PASSWORD, **kwargs)


class RegisterRequest(serializers.Serializer[User]):
    username = serializers.CharField(max_length=40)
    email = serializers.EmailField(max_length=254)
    password = PasswordField()

    def validate_username(self, username: str) -> str:
        username = normalise_username(username)
        validate_username(username)
        return username

    def validate_email(self, email: str) -> str:
        return normalise_email(email)

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


class Me(serializers.ModelSerializer[User]):
    email_verified = serializers.SerializerMethodField()
    roles = serializers.ListField(child=serializers.CharField(), source="role_names", read_only=True)
    permissions = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "username", "email", "email_verified", "name", "roles", "permissions"]
        read_only_fields = ["id", "username", "email"]

    def update(self, user: User, validated_data: dict[str, Any]) -> User:
        """Writes what was sent and nothing else: a whole row could undo a deactivation that happened meanwhile."""
        for field, value in validated_data.items():
            setattr(user, field, value)
        user.save(update_fields=list(validated_data))
        return user

    def get_email_verified(self, user: User) -> bool:
        return user.email_verified_at is not None

    def get_permissions(self, user: User) -> list[str]:
        return sorted(user.get_all_permissions())
