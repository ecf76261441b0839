"""Who sends a request: the person of its access token."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts.models import User
from accounts.tokens import AccessToken
from config.compiled import Parameter, compiled
from config.problems import TokenInvalid


class AccessTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        """None without a Bearer token; TokenInvalid for one that is not good, or not any more, according to the database."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            token = AccessToken(encoded.strip())  # type: ignore[arg-type]  # simplejwt annotates the encoded text as a Token
        except TokenError as error:
            raise TokenInvalid from error
        return self._person(token), token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def _person(self, token: AccessToken) -> User:
        """One query of one table's columns: every request asks it."""
        people = _still_good(user=token.user_id, session=token.session_id, generation=token["gen"])
        if not people:
            raise TokenInvalid
        return people[0]


@compiled
def _still_good() -> QuerySet[User]:
    return User.objects.filter(
        pk=Parameter("user"),
        is_active=True,
        generation=Parameter("generation"),
        login_sessions__pk=Parameter("session"),
        login_sessions__ended_at__isnull=True,
    )
