"""A ticket's conversation as plain text, to be kept or handed on."""

from __future__ import annotations

import heapq
import textwrap
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from tickets import queries
from tickets.models import Ticket
from tickets.sql import MessageRow, NoteRow

PAGE = 500
Row = TypeVar("Row", MessageRow, NoteRow)


def transcript(ticket: Ticket, *, notes: bool = False) -> str:
    """Oldest first, one paragraph a message: when, who, what. With `notes` those between agents too, each marked."""
    entries = _entries(_all(lambda after: queries.messages_after(ticket.id, after, PAGE)), "")
    if notes:
        written = _entries(_all(lambda after: queries.notes_after(ticket.id, after, PAGE)), " (note)")
        entries = heapq.merge(entries, written)
    return "\n".join([*_head(ticket), "", *(text for _, text in entries), ""])


def _head(ticket: Ticket) -> list[str]:
    said = [f"Ticket {ticket.number}: {ticket.subject}", f"Category: {ticket.category_slug}"]
    said += [f"Opened: {_time(ticket.created_at)} by {ticket.learner_username}"]
    return said + ([f"Closed: {_time(ticket.closed_at)}"] if ticket.closed_at else [])


def _entries(rows: Iterator[Row], mark: str) -> Iterator[tuple[datetime, str]]:
    for row in rows:
        said = [row.body or "(erased)"]
        if isinstance(row, MessageRow) and row.attachment:
            said.append(f"[file: {row.attachment['name']}]")
        body = textwrap.indent("\n".join(said), "    ", lambda line: True)
        yield row.created_at, f"{_time(row.created_at)} {row.sender_username}{mark}:\n{body}\n"


def _all(page: Callable[[int], list[Row]]) -> Iterator[Row]:
    after = 0
    while rows := page(after):
        yield from rows
        after = rows[-1].seq


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
