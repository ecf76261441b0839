"""Writing notes: what agents say to each other about a ticket, which its learner never sees."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import IntegrityError, connection, transaction

from tickets import events, queries, sql
from tickets.actions import is_repeated, message_parameters
from tickets.errors import TicketErased
from tickets.people import Person


def append_note(person: Person, ticket_id: uuid.UUID, body: str, client_id: str | None) -> sql.NoteRow:
    """The note as kept; for a client id used before, the first one. Raises NotFound or TicketErased."""
    parameters = message_parameters(person, ticket_id, body, client_id)
    try:
        with transaction.atomic():
            row = _row(sql.APPEND_NOTE, parameters)
            if row:
                events.publish_on_commit(events.TicketEvent(ticket_id, 0, note_seq=row.seq))
                return row
    except IntegrityError as error:
        if not is_repeated(error):
            raise
    queries.ticket_to_answer(person, ticket_id)
    if row := _row(sql.FIND_NOTE, parameters):
        return row
    raise TicketErased


def _row(statement: str, parameters: dict[str, Any]) -> sql.NoteRow | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
        return sql.NoteRow(*row) if row else None
