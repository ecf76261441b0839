"""Routes of a person's logins, and the one that staff open from the admin site."""

from __future__ import annotations

import uuid

from django.contrib import admin
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.authentication import SessionAuthentication
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import actions, admin_tokens, sessions
from accounts.models import LoginSession
from accounts.serializers import AdminSessionToken, Session
from config.permissions import Authenticated
from config.requests import person


class InTheAdminSite(Authenticated):
    """Whoever the admin site lets in, by this session: staff, with a one-time code where that is demanded."""

    label = "staff"

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and admin.site.has_permission(request)


@extend_schema_view(get=extend_schema(operation_id="list_sessions"))
class SessionsView(ListAPIView[LoginSession]):
    """Where you are logged in, the login used last first. An exchange of its refresh token is a use."""

    permission_classes = (Authenticated,)
    serializer_class = Session
    queryset = LoginSession.objects.none()  # for the OpenAPI document

    def get_queryset(self) -> QuerySet[LoginSession]:
        return sessions.running(person(self.request))


class SessionView(APIView):
    permission_classes = (Authenticated,)

    @extend_schema(responses={204: None}, operation_id="end_session")
    def delete(self, request: Request, session: uuid.UUID) -> Response:
        """Ends one of your logins; its tokens are refused everywhere within a second."""
        actions.end_session(person(request), session)
        return Response(status=204)


class AdminSessionTokenView(APIView):
    authentication_classes = (SessionAuthentication,)  # which insists on the CSRF token
    permission_classes = (InTheAdminSite,)

    @extend_schema(request=None, responses=AdminSessionToken, operation_id="token_of_admin_session")
    def post(self, request: Request) -> Response:
        """An access token for staff who are logged in to the admin site: send its cookies and `X-CSRFToken`.

        It ends with that login at the latest. There is no refresh token: ask again.
        """
        user = person(request)
        token = admin_tokens.token_of(user, request.session, sessions.client_of(request))
        return Response({"access": str(token)}, headers={"Cache-Control": "no-store"})
