"""The two documents that describe this service to clients; open to everybody."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime import asyncapi
from tickets.permissions import PUBLIC, Declared


class OpenApi(SpectacularJSONAPIView):
    authentication_classes = ()
    permission_classes = (Declared,)
    permission = PUBLIC


class AsyncApi(APIView):
    authentication_classes = ()
    permission = PUBLIC

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(asyncapi.document())
