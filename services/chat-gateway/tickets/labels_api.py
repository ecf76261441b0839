"""The REST routes of tags and ratings."""

from __future__ import annotations

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tickets import labels
from tickets.api import ChatView, answer
from tickets.errors import TicketErased, TicketNotClosed
from tickets.people import ANSWER
from tickets.serializers import RatingSerializer, TagChangesSerializer, TagsSerializer, TicketSerializer


class Tags(ChatView):
    permission = ANSWER
    conflicts = (TicketErased,)

    @extend_schema(operation_id="set_tags", request=TagsSerializer, responses=TicketSerializer)
    def put(self, request: Request, ticket: uuid.UUID) -> Response:
        """Gives the ticket these tags, and no others. They are written in lower case, with hyphens for spaces."""
        return answer(labels.set_tags(self.person(), ticket, self.parsed(TagsSerializer)["tags"]))

    @extend_schema(operation_id="change_tags", request=TagChangesSerializer, responses=TicketSerializer)
    def patch(self, request: Request, ticket: uuid.UUID) -> Response:
        """Adds some and removes some; what others changed meanwhile stays. Those it has or lacks already do no harm."""
        changes = self.parsed(TagChangesSerializer)
        return answer(labels.change_tags(self.person(), ticket, changes["add"], changes["remove"]))


class Rate(ChatView):
    conflicts = (TicketNotClosed,)

    @extend_schema(operation_id="rate_ticket", request=RatingSerializer, responses=TicketSerializer)
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """How good the help was, 1 to 5: the learner's word on a closed ticket; again replaces it."""
        said = self.parsed(RatingSerializer)
        return answer(labels.rate(self.person(), ticket, said["rating"], said["rating_comment"]))
