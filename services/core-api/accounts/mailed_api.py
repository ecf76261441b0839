"""Routes of passwords and e-mail addresses: what is asked for here is finished with a link that was mailed."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import emails, passwords
from accounts.api import Entrance
from accounts.errors import LinkInvalid, WrongPassword
from accounts.serializers import (
    EmailVerifyRequest,
    PasswordChangeRequest,
    PasswordResetAsked,
    PasswordResetConfirmed,
)
from config.openapi import refusals
from config.permissions import Authenticated
from config.problems import TooManyRequests
from config.requests import person, validated


class EmailSendView(APIView):
    permission_classes = (Authenticated,)

    @extend_schema(
        request=None, responses={202: None, **refusals(TooManyRequests)}, operation_id="send_verification_mail"
    )
    def post(self, request: Request) -> Response:
        """Mails another link to the address that is not confirmed yet, if there is one."""
        emails.ask_verification(person(request))
        return Response(status=202)


class EmailVerifyView(Entrance):
    @extend_schema(
        request=EmailVerifyRequest, responses={204: None, **refusals(LinkInvalid)}, operation_id="verify_email"
    )
    def post(self, request: Request) -> Response:
        """Confirms an e-mail address with the token that was mailed to it; a new one becomes the person's with this."""
        body = validated(EmailVerifyRequest, request)
        emails.verify(**body)
        return Response(status=204)


class PasswordChangeView(APIView):
    permission_classes = (Authenticated,)

    @extend_schema(
        request=PasswordChangeRequest,
        responses={204: None, **refusals(WrongPassword, TooManyRequests)},
        operation_id="change_password",
    )
    def post(self, request: Request) -> Response:
        """Sets another password and ends every login, this one too: log in again."""
        body = validated(PasswordChangeRequest, request)
        passwords.change(person(request), **body)
        return Response(status=204)


class PasswordResetView(Entrance):
    @extend_schema(request=PasswordResetAsked, responses={202: None}, operation_id="reset_password")
    def post(self, request: Request) -> Response:
        """Mails a link to the person with that address. 202 whether or not there is one."""
        body = validated(PasswordResetAsked, request)
        passwords.ask_reset(**body)
        return Response(status=202)


class PasswordResetConfirmView(Entrance):
    @extend_schema(
        request=PasswordResetConfirmed,
        responses={204: None, **refusals(LinkInvalid)},
        operation_id="confirm_password_reset",
    )
    def post(self, request: Request) -> Response:
        """Sets a password with the token of a mail, once, within the hour, and ends every login."""
        body = validated(PasswordResetConfirmed, request)
        passwords.confirm_reset(**body)
        return Response(status=204)
