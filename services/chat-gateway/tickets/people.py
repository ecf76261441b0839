"""Who somebody is and may do, read from what core-api publishes (never from the token)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import connection

from realtime.verifier import Claims
from tickets import sql

ANSWER = "support.answer"
LEAD = "support.lead"


class HasPeople(Protocol):
    """The two facts that decide who sees a ticket; a model's row and sql.TicketFacts both have them."""

    @property
    def learner_id(self) -> uuid.UUID: ...
    @property
    def category_id(self) -> uuid.UUID: ...


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may act now. `categories` are those they answer tickets of; empty for learners."""

    id: uuid.UUID
    username: str
    permissions: frozenset[str]
    categories: frozenset[uuid.UUID]
    claims: Claims
    is_authenticated: bool = True  # what DRF asks of a user

    def may_see(self, ticket: HasPeople) -> bool:
        return ticket.learner_id == self.id or ticket.category_id in self.categories

    def answers(self, ticket: HasPeople) -> bool:
        """Whether they are an agent there, who sees its notes, too: not one who asked themselves."""
        return ticket.learner_id != self.id and ticket.category_id in self.categories


def parameters(claims: Claims) -> dict[str, Any]:
    """For sql.PERSON."""
    return {"user": claims.user, "generation": claims.generation, "session": claims.session}


def from_row(row: Sequence[Any] | None, claims: Claims) -> Person | None:
    """A row of sql.PERSON; none: this token counts no more."""
    if row is None:
        return None
    username, permissions, categories = row
    answers = ANSWER in permissions
    return Person(claims.user, username, frozenset(permissions), frozenset(categories if answers else ()), claims)


def find(claims: Claims) -> Person | None:
    """The person behind verified claims, or None where the token counts no more. One query."""
    with connection.cursor() as cursor:
        cursor.execute(sql.PERSON, parameters(claims))
        return from_row(cursor.fetchone(), claims)
