"""The REST routes of what stands around the conversation: canned answers, transcripts, statistics."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tickets import queries, stats, transcript
from tickets.api import ChatView
from tickets.desk_serializers import PeriodSerializer, StatsSerializer, TranscriptQuerySerializer
from tickets.people import ANSWER, LEAD
from tickets.serializers import CannedAnswerSerializer, CannedAnswersQuerySerializer

TEXT = {(200, "text/plain"): OpenApiResponse(OpenApiTypes.STR, description="UTF-8, to be saved.")}


class OneFormat(DefaultContentNegotiation):
    """For a route that answers with a file: `Accept: text/plain` is right there, though problems still are JSON."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type or ""


class CannedAnswers(ChatView):
    permission = ANSWER

    @extend_schema(
        operation_id="list_canned_answers",
        parameters=[CannedAnswersQuerySerializer],
        responses=CannedAnswerSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Texts to answer with: those for all tickets, and those of one's categories or of the one asked for."""
        category = self.parsed(CannedAnswersQuerySerializer).get("category")
        found = queries.canned_answers(self.person(), category)
        return Response(CannedAnswerSerializer(found, many=True).data)


class Transcript(ChatView):
    content_negotiation_class = OneFormat

    @extend_schema(operation_id="get_transcript", parameters=[TranscriptQuerySerializer], responses=TEXT)
    def get(self, request: Request, ticket: uuid.UUID) -> HttpResponse:
        """The conversation as text, oldest first; with `notes=1`, for agents alone (404 else), their notes, too."""
        notes = self.parsed(TranscriptQuerySerializer).get("notes") == "1"
        find = queries.ticket_to_answer if notes else queries.ticket_for
        found = find(self.person(), ticket)
        headers = {
            "Content-Disposition": f'attachment; filename="ticket-{found.number}.txt"',
            "Cache-Control": "no-store",
        }
        text = transcript.transcript(found, notes=notes)
        return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)


class Stats(ChatView):
    permission = LEAD

    @extend_schema(operation_id="get_statistics", parameters=[PeriodSerializer], responses=StatsSerializer)
    def get(self, request: Request) -> Response:
        """How the desk did: tickets, waiting, times of first response and of resolution, ratings; by category and by agent."""
        return Response(StatsSerializer(stats.statistics(**self.parsed(PeriodSerializer))).data)
