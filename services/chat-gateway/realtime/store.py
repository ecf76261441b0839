"""The WebSockets' way to the database: an asynchronous pool, because Django's ORM costs a thread hop a query.

The statements are those of REST (tickets/sql.py).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import errors as pg
from psycopg.rows import TupleRow, class_row, tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from realtime.gathering import Gathering
from realtime.verifier import Claims
from tickets import bulk_sql, people, sql
from tickets.actions import hashed, message_parameters, read_parameters
from tickets.errors import AttachmentNotReady
from tickets.events import Signal
from tickets.people import Person

OUTAGE = (psycopg.OperationalError, psycopg.InterfaceError, pg.UndefinedTable, pg.InsufficientPrivilege)
POOL_SIZE = 8
GETTING_TIMEOUT = 3.0  # seconds to wait for a connection
STATEMENT_TIMEOUT = 5_000  # milliseconds
APPENDED_AT_ONCE = 200  # messages
ASKED_AT_ONCE = 100  # facts about people and tickets
READ_AT_ONCE = 20  # tickets, a page of each
CROWDS_APART = 0.02  # seconds from one question for several to the next, where many come at once (decision 15)
MESSAGES_APART = 0.01  # seconds from one commit (or read) of several messages to the next (decision 17),
PLENTY = 16  # unless it was of so many
# Planning a statement for many anew costs as much as running it, and compiling it far more; a plan is kept with its connection.
# Made while a table was nearly empty, it would read all of the table ever after, until autovacuum had counted it: rows are looked
# up by their indexes, however few there seem to be.
PLANNING = "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
OPTIONS = f"{PLANNING} -c statement_timeout={STATEMENT_TIMEOUT}"


T = TypeVar("T", sql.MessageRow, sql.NoteRow)


class Refused(Exception):
    """The ticket is closed (for notes: erased), gone, or the sender's no more: `facts` tell which."""

    def __init__(self, facts: sql.TicketFacts | None) -> None:
        super().__init__("refused")
        self.facts = facts


@dataclass(frozen=True, slots=True)
class ConnectPass:
    """A connect ticket that was used just now; `ticket` is what it opens."""

    ticket: uuid.UUID | None
    claims: Claims


class Greeting(NamedTuple):
    facts: sql.TicketFacts
    marks: list[Signal]  # how far each of its people has read


class Store:
    def __init__(self, dsn: str) -> None:
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[TupleRow]] = AsyncConnectionPool(
            dsn,
            min_size=2,
            max_size=POOL_SIZE,
            open=False,
            timeout=GETTING_TIMEOUT,
            reconnect_timeout=2,  # then the next request tries anew, instead of a backoff that grows to minutes
            # Prepared at once: connections take turns, and each would plan a statement anew five times.
            kwargs={"autocommit": True, "options": OPTIONS, "connect_timeout": 3, "prepare_threshold": 0},
        )
        self._running: set[asyncio.Task[list[Any]]] = set()
        self._appending = Gathering(self._append_all, APPENDED_AT_ONCE, MESSAGES_APART, PLENTY)
        self._reading = Gathering(self._read_all, READ_AT_ONCE, MESSAGES_APART, PLENTY)
        self._knowing = Gathering(self._know_all, ASKED_AT_ONCE)
        # When a network comes back, everybody does. Gathered, their questions cost little and keep no connection waiting.
        self._meeting = Gathering(self._know_all, ASKED_AT_ONCE, CROWDS_APART)
        self._looking = Gathering(self._look_at_all, ASKED_AT_ONCE, CROWDS_APART)
        self._greeting = Gathering(self._greet_all, ASKED_AT_ONCE, CROWDS_APART)

    async def open(self) -> None:
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2)

    async def ping(self) -> None:
        await self._fetch("SELECT 1", {})

    async def person(self, claims: Claims, *, arriving: bool = False) -> Person | None:
        """`arriving`: nothing of theirs waits for the answer yet, no message that would be late."""
        return await (self._meeting if arriving else self._knowing).ask(claims)

    async def _know_all(self, asked: Sequence[Claims]) -> list[Person | None]:
        parameters = {
            "users": [claims.user for claims in asked],
            "generations": [claims.generation for claims in asked],
            "sessions": [claims.session for claims in asked],
        }
        found = {place: columns for place, *columns in await self._fetch(bulk_sql.PERSON_EACH, parameters)}
        return [people.from_row(found.get(place), claims) for place, claims in enumerate(asked, 1)]

    async def look(self, ticket: uuid.UUID) -> sql.TicketFacts | None:
        return await self._looking.ask(ticket)

    async def _look_at_all(self, tickets: Sequence[uuid.UUID]) -> list[sql.TicketFacts | None]:
        found = {facts.id: facts for facts in await self.facts(tickets)}
        return [found.get(ticket) for ticket in tickets]

    async def greet(self, ticket: uuid.UUID) -> Greeting | None:
        """What whoever comes is told of a ticket."""
        return await self._greeting.ask(ticket)

    async def _greet_all(self, tickets: Sequence[uuid.UUID]) -> list[Greeting | None]:
        found: dict[uuid.UUID, Greeting] = {}
        for *columns, marks in await self._fetch(sql.GREETINGS, {"tickets": list(tickets)}):
            facts = sql.TicketFacts(*columns)
            marked = [Signal("read", facts.id, uuid.UUID(user), username, seq) for user, username, seq in marks or ()]
            found[facts.id] = Greeting(facts, marked)
        return [found.get(ticket) for ticket in tickets]

    async def facts(self, tickets: Collection[uuid.UUID]) -> list[sql.TicketFacts]:
        return await self._fetch_as(sql.TicketFacts, sql.TICKET_FACTS, {"tickets": list(tickets)})

    async def messages_after(self, ticket: uuid.UUID, after: int, limit: int) -> list[sql.MessageRow]:
        return await self._reading.ask((ticket, after, limit))

    async def notes_after(self, ticket: uuid.UUID, after: int, limit: int) -> list[sql.NoteRow]:
        return await self._fetch_as(sql.NoteRow, sql.NOTES_AFTER, {"ticket": ticket, "after": after, "limit": limit})

    async def _read_all(self, asked: Sequence[tuple[uuid.UUID, int, int]]) -> list[list[sql.MessageRow]]:
        tickets, afters, limits = zip(*asked, strict=True)
        parameters = {"tickets": list(tickets), "afters": list(afters), "limit": max(limits)}
        found: list[list[sql.MessageRow]] = [[] for _ in asked]
        for place, *columns in await self._fetch(bulk_sql.MESSAGES_AFTER_EACH, parameters):
            found[place - 1].append(sql.MessageRow(*columns))
        return [rows[:limit] for rows, limit in zip(found, limits, strict=True)]

    async def append(
        self, person: Person, ticket: uuid.UUID, body: str, client_id: str | None, attachment: uuid.UUID | None = None
    ) -> sql.MessageRow:
        """The committed message; for a client id used before, the first one. Raises Refused, AttachmentNotReady, or one of OUTAGE.

        A connection that breaks half-way is no risk: the second try carries the same id and finds what was committed.
        """
        parameters = message_parameters(person, ticket, body, client_id, attachment)
        together = await self._appending.ask(parameters) if attachment is None else None
        return together or await self._append_alone(parameters)

    async def _append_all(self, messages: Sequence[dict[str, Any]]) -> list[sql.MessageRow | None]:
        """In one transaction; None for each that was left out of it, and for all if one breaks a rule."""
        first: dict[Any, dict[str, Any]] = {}  # of those that carry the same client id
        for message in messages:
            first.setdefault((message["ticket"], message["sender"], message["client_id"] or message["id"]), message)
        try:
            parameters = bulk_sql.append_parameters(list(first.values()))
            rows = await self._fetch_as(sql.MessageRow, bulk_sql.APPEND_MESSAGES, parameters)
        except OUTAGE:
            raise
        except Exception:  # it is known to be one message's, and will be raised for that one
            return [None] * len(messages)
        appended: dict[uuid.UUID, sql.MessageRow] = {row.id: row for row in rows}
        return [appended.get(message["id"]) for message in messages]

    async def _append_alone(self, parameters: dict[str, Any]) -> sql.MessageRow:
        try:
            return await self._append_row(sql.MessageRow, sql.APPEND_MESSAGE, sql.FIND_MESSAGE, parameters)
        except (pg.UniqueViolation, pg.ForeignKeyViolation) as error:
            raise AttachmentNotReady from error

    async def append_note(self, person: Person, ticket: uuid.UUID, body: str, client_id: str | None) -> sql.NoteRow:
        """As `append`."""
        parameters = message_parameters(person, ticket, body, client_id)
        return await self._append_row(sql.NoteRow, sql.APPEND_NOTE, sql.FIND_NOTE, parameters)

    async def _append_row(self, shape: type[T], append: str, find: str, parameters: dict[str, Any]) -> T:
        cause: psycopg.Error | None = None
        try:
            rows: list[T] = await self._fetch_as(shape, append, parameters)
        except (pg.UniqueViolation, pg.ForeignKeyViolation) as error:
            rows, cause = [], error
        if not rows:
            rows = await self._fetch_as(shape, find, parameters)
        if rows:
            return rows[0]
        if cause:
            raise cause
        raise Refused(await self.look(parameters["ticket"]))

    async def mark_read(self, person: Person, ticket: uuid.UUID, seq: int) -> int | None:
        """The person's read mark, if that moved it."""
        rows = await self._fetch(sql.MARK_READ, read_parameters(person, ticket, seq))
        return rows[0][0] if rows else None

    async def use_connect_ticket(self, secret: str) -> ConnectPass | None:
        """What a connect ticket opens; using it, even too late, is the end of it."""
        rows = await self._fetch(sql.CONSUME_CONNECT_TICKET, {"hash": hashed(secret)})
        if not rows:
            return None
        ticket, user, username, generation, session, token_expires_at, fresh = rows[0]
        expires_at: datetime = token_expires_at
        claims = Claims(user, username, generation, session, int(expires_at.timestamp()))
        return ConnectPass(ticket, claims) if fresh else None

    async def answers_tickets(self, user: uuid.UUID) -> bool:
        """Whether they do, or have an open one of the time when they did."""
        return bool((await self._fetch(sql.ANSWERS_TICKETS, {"user": user}))[0][0])

    async def renew_leases(self, users: Collection[uuid.UUID], lease: timedelta) -> None:
        await self._run(sql.RENEW_LEASES, {"users": list(users), "lease": lease}, tuple_row, fetch=False)

    async def delete_stale_connect_tickets(self) -> None:
        await self._run(sql.DELETE_STALE_CONNECT_TICKETS, {}, tuple_row, fetch=False)

    async def _fetch(self, statement: str, parameters: dict[str, Any]) -> Sequence[TupleRow]:
        return await self._run(statement, parameters, tuple_row)

    async def _fetch_as(self, shape: type[Any], statement: str, parameters: dict[str, Any]) -> list[Any]:
        return await self._run(statement, parameters, class_row(shape))

    async def _run(self, statement: str, parameters: dict[str, Any], rows: Any, *, fetch: bool = True) -> list[Any]:
        """Goes on to its end although who waits is cancelled, since a client hung up: psycopg's pool loses connections for good
        whose users are cancelled while they give them back, or while it looks at all of them.
        """
        running = asyncio.create_task(self._patiently(statement, parameters, rows, fetch))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return await asyncio.shield(running)

    async def _patiently(self, statement: str, parameters: dict[str, Any], rows: Any, fetch: bool) -> list[Any]:
        try:
            return await self._once(statement, parameters, rows, fetch)
        except (PoolTimeout, pg.QueryCanceled):
            raise
        except psycopg.OperationalError:
            await self._pool.check()  # a restarted PostgreSQL broke every connection of the pool
            return await self._once(statement, parameters, rows, fetch)

    async def _once(self, statement: str, parameters: dict[str, Any], rows: Any, fetch: bool) -> list[Any]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=rows) as cursor:
            await cursor.execute(statement, parameters)
            return await cursor.fetchall() if fetch else []
