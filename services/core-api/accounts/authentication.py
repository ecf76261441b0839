"""Who sends a request: the person of its access token."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.models import User


class AccessTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, object] | None:
        return None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
