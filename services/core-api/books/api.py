"""The books over HTTP: a person's own statement; for those who may read them, everybody's, the journal, the trial balance."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from books.journal import journal, statement
from books.serializers import PeriodRequest, TrialBalanceLine
from books.snapshot import one_snapshot
from books.trial_balance import trial_balance
from config.negotiation import OneFormat
from config.openapi import refusals
from config.permissions import Authenticated, holds
from config.problems import Invalid

Reports = holds("books.reports")
CSV = {
    (200, "text/csv"): OpenApiResponse(
        OpenApiTypes.STR, description="RFC 4180, UTF-8; the first line names the columns."
    )
} | refusals(Invalid)


def csv_file(lines: Iterator[str], name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


class OwnStatement(APIView):
    permission_classes = [Authenticated]
    content_negotiation_class = OneFormat

    @extend_schema(operation_id="wallet_statement", parameters=[PeriodRequest], responses=CSV)
    def get(self, request: Request) -> StreamingHttpResponse:
        """Your movements of a period, oldest first, between the balances at its beginning and end."""
        assert isinstance(request.user, User)  # noqa: S101  for the type checker: the permission says so
        return csv_file(statement(request.user, PeriodRequest.period(request.query_params)), "statement")


class Statement(APIView):
    permission_classes = [Reports]
    content_negotiation_class = OneFormat

    @extend_schema(operation_id="wallet_statement_of", parameters=[PeriodRequest], responses=CSV)
    def get(self, request: Request, user: uuid.UUID) -> StreamingHttpResponse:
        """A person's movements of a period, oldest first, between the balances at its beginning and end."""
        person = get_object_or_404(User, pk=user)
        return csv_file(statement(person, PeriodRequest.period(request.query_params)), f"statement-{person.pk}")


class Journal(APIView):
    permission_classes = [Reports]
    content_negotiation_class = OneFormat

    @extend_schema(operation_id="journal", parameters=[PeriodRequest], responses=CSV)
    def get(self, request: Request) -> StreamingHttpResponse:
        """Every posting of a period, oldest first."""
        return csv_file(journal(PeriodRequest.period(request.query_params)), "journal")


class TrialBalance(APIView):
    permission_classes = [Reports]

    @extend_schema(operation_id="trial_balance", responses=TrialBalanceLine(many=True))
    def get(self, request: Request) -> Response:
        """What every account gave and received until now; the two columns have one sum."""
        with one_snapshot():
            lines = trial_balance()
        return Response(TrialBalanceLine(lines, many=True).data)
