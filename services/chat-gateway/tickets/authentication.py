"""Bearer tokens: verified with core-api's public keys, then checked against what core-api publishes about the person."""

from __future__ import annotations

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from realtime.verifier import KeysUnavailable, TokenVerifier
from realtime.verifier import TokenInvalid as BadToken
from tickets import people
from tickets.errors import NotAuthenticated, TokenInvalid, Unavailable
from tickets.people import Person

verifier = TokenVerifier(settings.JWKS_URL)  # shared with the WebSockets, which keep its keys fresh


class BearerAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Person, None] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not token:
            raise NotAuthenticated
        try:
            claims = verifier.verify(token.strip())
        except BadToken as error:
            raise TokenInvalid from error
        except KeysUnavailable as error:
            raise Unavailable from error
        person = people.find(claims)
        if person is None:
            raise TokenInvalid
        if scope := getattr(request._request, "scope", None):
            scope["lectern.user"] = str(person.id)  # for the request's log line
        return person, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
