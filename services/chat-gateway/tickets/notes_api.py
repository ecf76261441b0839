"""The REST route of the notes between agents."""

from __future__ import annotations

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tickets import notes, queries
from tickets.api import ChatView
from tickets.errors import TicketErased
from tickets.pagination import public
from tickets.people import ANSWER
from tickets.serializers import MessagesQuerySerializer, NewNoteSerializer, NotePageSerializer, NoteSerializer


class Notes(ChatView):
    permission = ANSWER
    conflicts = (TicketErased,)

    @extend_schema(operation_id="list_notes", parameters=[MessagesQuerySerializer], responses=NotePageSerializer)
    def get(self, request: Request, ticket: uuid.UUID) -> Response:
        """What agents said to each other about the ticket, oldest first. 404 for an agent who asks for help in it."""
        wanted = self.parsed(MessagesQuerySerializer)
        found = queries.ticket_to_answer(self.person(), ticket)
        rows = queries.notes_after(ticket, wanted["after"], wanted["limit"])
        following = None
        if rows and rows[-1].seq < found.head_note_seq:
            following = public(f"{request.path}?after={rows[-1].seq}&limit={wanted['limit']}")
        page = {"count": found.head_note_seq, "next": following, "previous": None, "results": rows}
        return Response(NotePageSerializer(page).data)

    @extend_schema(operation_id="write_note", request=NewNoteSerializer, responses={201: NoteSerializer})
    def post(self, request: Request, ticket: uuid.UUID) -> Response:
        """Adds a note, also to a closed ticket. The same `client_id` again answers with the first one."""
        new = self.parsed(NewNoteSerializer)
        note = notes.append_note(self.person(), ticket, new["note"], new.get("client_id"))
        return Response(NoteSerializer(note).data, status.HTTP_201_CREATED)
