"""Who sends a request: the person of its access token."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts.models import LoginSession, User
from accounts.tokens import AccessToken
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
        session = (
            LoginSession.objects.select_related("user")
            .filter(pk=token.session_id, user_id=token.user_id, ended_at__isnull=True)
            .first()
        )
        if session is None or not session.user.is_active or session.user.generation != token["gen"]:
            raise TokenInvalid
        return session.user
