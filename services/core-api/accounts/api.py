"""Registering, logging in and out, and who one is."""

from __future__ import annotations

from dataclasses import asdict

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import actions, emails, keys, sessions
from accounts.attempts import Purpose as Attempted
from accounts.attempts import check_and_count
from accounts.errors import InvalidCredentials, OtpEnrolmentRequired, OtpInvalid, OtpRequired, WrongPassword
from accounts.serializers import (
    ChangeMe,
    LogoutRequest,
    Me,
    RefreshRequest,
    Registered,
    RegisterRequest,
    TokenPair,
    TokenRequest,
)
from config.client_address import client_address
from config.openapi import refusals
from config.permissions import Authenticated, Public
from config.problems import TooManyRequests
from config.requests import person, validated
from privacy.erasing import erase_me
from privacy.errors import AdminStays, CoursesLeft, CreditLeft
from privacy.serializers import EraseRequest


class Entrance(APIView):
    """For those who have no access token, or an old one: whatever they send in that header does not matter."""

    authentication_classes = ()
    permission_classes = (Public,)


class RegisterView(Entrance):
    @extend_schema(request=RegisterRequest, responses={201: Registered}, operation_id="register")
    def post(self, request: Request) -> Response:
        body = validated(RegisterRequest, request)
        check_and_count(Attempted.REGISTRATION, address=client_address(request))
        return Response(Registered(actions.register(**body)).data, status=201)


class TokenView(Entrance):
    @extend_schema(
        request=TokenRequest,
        responses={200: TokenPair, **refusals(InvalidCredentials, OtpRequired, OtpInvalid, OtpEnrolmentRequired)},
        operation_id="log_in",
    )
    def post(self, request: Request) -> Response:
        """Log in. With an authenticator app: `otp_required` first, then the same again with `otp`."""
        body = validated(TokenRequest, request)
        return Response(asdict(actions.log_in(**body, client=sessions.client_of(request))))


class RefreshView(Entrance):
    @extend_schema(request=RefreshRequest, responses=TokenPair, operation_id="refresh")
    def post(self, request: Request) -> Response:
        """A new pair for a refresh token, which is used up by it. 401 `token_invalid`, `token_superseded`, `token_reused`."""
        body = validated(RefreshRequest, request)
        pair = sessions.refresh(body["refresh"], body.get("attempt", ""))
        return Response(asdict(pair))


class LogoutView(Entrance):
    @extend_schema(request=LogoutRequest, responses={204: None}, operation_id="log_out")
    def post(self, request: Request) -> Response:
        """Ends the login that the refresh token belongs to; 204 also for one that is unknown or over."""
        body = validated(LogoutRequest, request)
        actions.log_out(body["refresh"])
        return Response(status=204)


class LogoutEverywhereView(APIView):
    permission_classes = (Authenticated,)

    @extend_schema(request=None, responses={204: None}, operation_id="log_out_everywhere")
    def post(self, request: Request) -> Response:
        """Ends every login of this person; their tokens are refused everywhere within a second."""
        user = person(request)
        actions.log_out_everywhere(user, by=user)
        return Response(status=204)


class MeView(APIView):
    permission_classes = (Authenticated,)
    delete_body = EraseRequest  # for the OpenAPI document

    @extend_schema(responses=Me, operation_id="me")
    def get(self, request: Request) -> Response:
        return Response(Me(person(request)).data)

    @extend_schema(
        request=ChangeMe,
        responses={200: Me, **refusals(WrongPassword, TooManyRequests)},
        operation_id="change_me",
    )
    def patch(self, request: Request) -> Response:
        """Changes what was sent. Another `email` takes effect when the link that is mailed there has been opened."""
        body = validated(ChangeMe, request)
        wanted, user = body, person(request)
        if "email" in wanted:
            emails.ask_change(user, wanted["current_password"], wanted["email"])
        if "name" in wanted:
            actions.rename(user, wanted["name"])
        if "chat_mails" in wanted:
            actions.want_chat_mails(user, wanted["chat_mails"])
        return Response(Me(user).data)

    @extend_schema(
        request=EraseRequest,
        responses={204: None, **refusals(WrongPassword, TooManyRequests, CreditLeft, CoursesLeft, AdminStays)},
        operation_id="erase_me",
    )
    def delete(self, request: Request) -> Response:
        """Erases the person, everywhere and for good. What the books need stays, under a name that says nothing."""
        body = validated(EraseRequest, request)
        erase_me(person(request), **body)
        return Response(status=204)


class JwksView(Entrance):
    @extend_schema(
        responses=OpenApiResponse(OpenApiTypes.OBJECT, description="A JWK Set (RFC 7517)."),
        operation_id="jwks",
        tags=["auth"],
    )
    def get(self, request: Request) -> Response:
        """The public keys that verify access tokens, by `kid`."""
        return Response(keys.public_jwks(), headers={"Cache-Control": "public, max-age=60"})
