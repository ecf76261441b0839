"""Finding tickets: by their state and agent, and by words in what was written."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from psycopg.errors import QueryCanceled

from tickets import queries
from tickets.errors import Invalid
from tickets.models import Ticket, TicketState
from tickets.people import Person

SEARCH_MAX_LENGTH = 100
WORDS_MOST = 8
FOUND_MOST = 500
PATIENCE = 2_000  # milliseconds: words that everybody uses are no search

# Each arm has its index of words, or reads the few tickets of one learner; the planner knows which is cheaper. Notes are
# found by agents, never by who asked.
SEARCH = """
SELECT id FROM (
    SELECT t.id, t.number FROM chat.ticket t
     WHERE (t.learner_id = %(person)s OR t.category_id = ANY(%(categories)s))
       AND to_tsvector('simple', t.subject) @@ to_tsquery('simple', %(words)s)
    UNION
    SELECT t.id, t.number FROM chat.message m JOIN chat.ticket t ON t.id = m.ticket_id
     WHERE (t.learner_id = %(person)s OR t.category_id = ANY(%(categories)s))
       AND to_tsvector('simple', m.body) @@ to_tsquery('simple', %(words)s)
    UNION
    SELECT t.id, t.number FROM chat.note n JOIN chat.ticket t ON t.id = n.ticket_id
     WHERE t.category_id = ANY(%(categories)s) AND t.learner_id <> %(person)s
       AND to_tsvector('simple', n.body) @@ to_tsquery('simple', %(words)s)
) AS found ORDER BY number DESC LIMIT %(limit)s
"""


def filtered(person: Person, wanted: dict[str, Any]) -> QuerySet[Ticket]:
    """The tickets that the person may see and `wanted` (TicketsQuerySerializer) asks for. Raises Invalid."""
    tickets = queries.visible_to(person)
    if state := wanted.get("state"):
        tickets = tickets.filter(state=state)
    if category := wanted.get("category"):
        tickets = tickets.filter(category_slug=category)
    if wanted.get("assigned") == "me":
        tickets = tickets.filter(assignee_id=person.id)
    elif wanted.get("assigned") == "none":
        tickets = tickets.filter(assignee_id=None).exclude(state=TicketState.CLOSED)
    if tag := wanted.get("tag"):
        tickets = tickets.filter(queries.answered_by(person), tags__contains=[tag])
    if text := (wanted.get("search") or "").strip():
        tickets = tickets.filter(pk__in=found(person, text))
    return tickets


def words(text: str) -> str:
    """`text` as a tsquery in which each word, whole or begun, has to be there. Raises Invalid for too many."""
    parts = text.split()
    if len(parts) > WORDS_MOST:
        raise Invalid({"search": [f"Search for {WORDS_MOST} words at most."]})
    quoted = (part.replace("\\", "\\\\").replace("'", "''") for part in parts)
    return " & ".join(f"'{part}':*" for part in quoted)


def found(person: Person, text: str) -> list[uuid.UUID]:
    """The newest FOUND_MOST tickets with those words in one of their texts. Raises Invalid if that takes too long."""
    asked: dict[str, Any] = {
        "person": person.id,
        "categories": list(person.categories),
        "words": words(text),
        "limit": FOUND_MOST,
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(PATIENCE)])
            cursor.execute(SEARCH, asked)
            return [row[0] for row in cursor.fetchall()]
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise Invalid({"search": ["Too much has these words. Add another one."]}) from error
        raise
