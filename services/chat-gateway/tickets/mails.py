"""One mail for each stretch of messages that somebody who is away has not read: to the learner, and to the ticket's agent.

A stretch begins with the first message of somebody else after what the person read or wrote last, and ends when they have
read, or answered, what the mail was about. Who has a socket open to the ticket is not away, nor an agent who is online. All
processes sweep; the row of chat.unread_mail decides which of them hands the mail over, in that same statement.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection

from tickets import letters

LEAD = timedelta(minutes=1)  # so long before a mail is due, every process says who is looking at the ticket
PRESENT_FOR = timedelta(seconds=90)  # how long that counts; several sweeps
CLOSED_FOR = timedelta(days=1)  # the last answer of a ticket that was closed with it is told, too

# Each of its parts is served by an index: live tickets and those just closed, and of each the few newest messages.
UNREAD = """
SELECT t.id AS ticket, t.number, w.person, w.agent, t.head_seq, first.seq AS first_seq,
       (SELECT count(*) FROM chat.message m
         WHERE m.ticket_id = t.id AND m.seq >= first.seq AND m.sender_id <> w.person) AS messages,
       first.created_at <= now() - %(after)s::interval AND (p.present_until > now()) IS NOT TRUE AS due
  FROM chat.ticket t
 CROSS JOIN LATERAL (VALUES (t.learner_id, false), (t.assignee_id, true)) w (person, agent)
  LEFT JOIN chat.read_cursor r ON r.ticket_id = t.id AND r.user_id = w.person
  LEFT JOIN chat.unread_mail p ON p.ticket_id = t.id AND p.user_id = w.person
 CROSS JOIN LATERAL (
       SELECT max(seq) AS seq FROM (
           SELECT seq FROM chat.message m
            WHERE m.ticket_id = t.id AND m.sender_id = w.person AND m.seq > coalesce(r.seq, 0) ORDER BY seq DESC LIMIT 1) own
 ) said
 CROSS JOIN LATERAL (
       SELECT seq, created_at FROM chat.message m
        WHERE m.ticket_id = t.id AND m.seq > greatest(r.seq, said.seq, 0) AND m.sender_id <> w.person ORDER BY seq LIMIT 1
 ) first
 WHERE (t.state = 'queued' OR t.state = 'open' OR t.closed_at > now() - %(closed_for)s::interval)
   AND t.erased_at IS NULL AND t.head_seq > coalesce(r.seq, 0)
   AND first.seq > coalesce(p.mailed_seq, 0) AND first.created_at <= now() - %(after)s::interval + %(lead)s::interval
   AND NOT (w.agent AND EXISTS (SELECT FROM chat.agent_status s
                                 WHERE s.user_id = w.person AND s.status = 'online' AND s.lease_until > now()))
"""

PRESENT = """
INSERT INTO chat.unread_mail AS known (ticket_id, user_id, present_until)
SELECT ticket, person, now() + %(present_for)s::interval
  FROM unnest(%(tickets)s::uuid[], %(people)s::uuid[]) AS looking (ticket, person) ORDER BY 1, 2
ON CONFLICT (ticket_id, user_id) DO UPDATE SET present_until = excluded.present_until
"""

# One statement, so one transaction: the row says that it was told if and only if the mail is in core's outbox. Whoever comes
# second waits for the row and finds the stretch told.
TELL = f"""
WITH told AS (
    INSERT INTO chat.unread_mail AS known (ticket_id, user_id, mailed_seq, mailed_at)
    VALUES (%(ticket)s, %(person)s, %(head_seq)s, now())
    ON CONFLICT (ticket_id, user_id) DO UPDATE SET mailed_seq = excluded.mailed_seq, mailed_at = excluded.mailed_at
     WHERE known.mailed_seq < %(first_seq)s AND (known.present_until > now()) IS NOT TRUE
    RETURNING user_id
)
SELECT {letters.QUEUE_MAIL} FROM told
"""  # noqa: S608  a constant of this module


@dataclass(frozen=True, slots=True)
class Unread:
    """What one person has not read in one ticket. `due`: old enough, and they are not there."""

    ticket: uuid.UUID
    number: int
    person: uuid.UUID
    agent: bool  # as its agent, not as its learner
    head_seq: int
    first_seq: int
    messages: int
    due: bool


def sweep(looking: Collection[tuple[uuid.UUID, uuid.UUID]], after: timedelta) -> int:
    """Tells by mail whoever is away and has messages unread for `after`; how many mails.

    `looking`: ticket and person of each socket that is open in this process.
    """
    found = unread(after)
    here = [each for each in found if (each.ticket, each.person) in looking]
    if here:
        _execute(
            PRESENT,
            tickets=[each.ticket for each in here],
            people=[each.person for each in here],
            present_for=str(PRESENT_FOR),
        )
    return sum(tell(each) for each in found if each.due and (each.ticket, each.person) not in looking)


def unread(after: timedelta) -> list[Unread]:
    """Everything that is unread for `after`, or will be within LEAD, by people who were not told of it."""
    parameters = {"after": str(after), "lead": str(min(LEAD, after / 2)), "closed_for": str(CLOSED_FOR)}
    return [Unread(*row) for row in _execute(UNREAD, **parameters)]


def tell(stretch: Unread) -> int:
    """Hands the mail to core-api, unless that was done; how many."""
    letter = letters.unread(stretch.person, stretch.number, stretch.messages, agent=stretch.agent)
    about = {
        "ticket": stretch.ticket,
        "person": stretch.person,
        "head_seq": stretch.head_seq,
        "first_seq": stretch.first_seq,
    }
    return len(_execute(TELL, **about | letter))


def _execute(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
