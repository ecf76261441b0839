"""Statements that REST (through Django) and WebSockets (through an asynchronous pool) both run, written once.

All take named parameters. Unqualified answers are the row shapes below.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

MESSAGE_COLUMNS = """seq, id, client_id, sender_id, sender_username, body, created_at,
       CASE WHEN attachment_id IS NOT NULL THEN (
           SELECT json_build_object('id', a.id, 'name', a.name, 'size', a.size, 'content_type', a.content_type,
                                    'state', a.state)
             FROM chat.attachment a WHERE a.id = attachment_id) END AS attachment"""

# One statement, so one transaction: the row lock of the ticket orders the messages and `seq` has no gaps. A client id that
# was used before breaks message_client_id_once, which undoes the number too; then FIND_MESSAGE has the first answer.
# No row: the ticket is closed, gone or not the sender's. An attachment that is not ready, not the sender's, another ticket's,
# or in another message breaks a foreign key or message_attachment_once.
APPEND_MESSAGE = f"""
WITH advanced AS (
    UPDATE chat.ticket
       SET head_seq = head_seq + 1,
           first_response_at = coalesce(first_response_at, CASE WHEN learner_id <> %(sender)s THEN clock_timestamp() END),
           first_response_by_id = coalesce(first_response_by_id, nullif(%(sender)s, learner_id))
     WHERE id = %(ticket)s AND state <> 'closed'
       AND (learner_id = %(sender)s OR category_id = ANY(%(categories)s))
    RETURNING id, head_seq
)
INSERT INTO chat.message (id, ticket_id, seq, client_id, sender_id, sender_username, body, created_at, attachment_id)
SELECT %(id)s, id, head_seq, %(client_id)s, %(sender)s, %(username)s, %(body)s, clock_timestamp(), %(attachment)s::uuid
  FROM advanced
RETURNING {MESSAGE_COLUMNS}
"""  # noqa: S608  a constant of this module

# By client ids, a ticket is asked for as NOT DISTINCT FROM: with `=`, a plan made while the table was small may go through all
# messages of the ticket instead of message_client_id_once (models/conversation.py).
FIND_MESSAGE = f"""
SELECT {MESSAGE_COLUMNS} FROM chat.message
 WHERE ticket_id = %(ticket)s AND sender_id = %(sender)s AND id = coalesce((
       SELECT id FROM chat.message WHERE sender_id = %(sender)s AND client_id = %(client_id)s
          AND ticket_id IS NOT DISTINCT FROM %(ticket)s), %(id)s)
"""  # noqa: S608  a constant of this module

MESSAGES_AFTER = f"""
SELECT {MESSAGE_COLUMNS} FROM chat.message
 WHERE ticket_id = %(ticket)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s
"""  # noqa: S608  a constant of this module

NOTE_COLUMNS = "seq, id, client_id, sender_id, sender_username, body, created_at"

# As APPEND_MESSAGE, with the ticket's other sequence. Notes are for the category's agents, but not about oneself; a closed
# ticket takes them, too. No row: the ticket is erased, gone or not the agent's.
APPEND_NOTE = f"""
WITH advanced AS (
    UPDATE chat.ticket SET head_note_seq = head_note_seq + 1
     WHERE id = %(ticket)s AND erased_at IS NULL
       AND learner_id <> %(sender)s AND category_id = ANY(%(categories)s)
    RETURNING id, head_note_seq
)
INSERT INTO chat.note (id, ticket_id, seq, client_id, sender_id, sender_username, body, created_at)
SELECT %(id)s, id, head_note_seq, %(client_id)s, %(sender)s, %(username)s, %(body)s, clock_timestamp() FROM advanced
RETURNING {NOTE_COLUMNS}
"""  # noqa: S608  a constant of this module

FIND_NOTE = f"""
SELECT {NOTE_COLUMNS} FROM chat.note
 WHERE ticket_id = %(ticket)s AND sender_id = %(sender)s AND id = coalesce((
       SELECT id FROM chat.note WHERE sender_id = %(sender)s AND client_id = %(client_id)s
          AND ticket_id IS NOT DISTINCT FROM %(ticket)s), %(id)s)
"""  # noqa: S608  a constant of this module

NOTES_AFTER = f"""
SELECT {NOTE_COLUMNS} FROM chat.note
 WHERE ticket_id = %(ticket)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s
"""  # noqa: S608  a constant of this module

# No row: the mark is there already, or the ticket is gone or not the reader's. Beyond the newest message is the newest.
MARK_READ = """
INSERT INTO chat.read_cursor AS mark (ticket_id, user_id, seq)
SELECT id, %(user)s, least(%(seq)s, head_seq) FROM chat.ticket
 WHERE id = %(ticket)s AND (learner_id = %(user)s OR category_id = ANY(%(categories)s))
ON CONFLICT (ticket_id, user_id) DO UPDATE SET seq = excluded.seq WHERE mark.seq < excluded.seq
RETURNING seq
"""

# One row if the person may act now: active, not erased, the token's generation not outdated, its login not ended.
PERSON = """
SELECT p.username, p.permissions,
       ARRAY(SELECT a.category_id FROM published.support_agent a WHERE a.user_id = p.user_id) AS categories
  FROM published.principal p
 WHERE p.user_id = %(user)s AND p.is_active AND p.erased_at IS NULL AND p.generation <= %(generation)s
   AND NOT EXISTS (SELECT FROM published.ended_session e WHERE e.session_id = %(session)s)
"""

FACTS_COLUMNS = "id, learner_id, category_id, state, assignee_username, head_seq, head_note_seq"
TICKET_FACTS = f"SELECT {FACTS_COLUMNS} FROM chat.ticket WHERE id = ANY(%(tickets)s)"  # noqa: S608  a constant of this module

# The facts, and [[user, username, seq], …] of how far its people have read (NULL: nobody has).
GREETINGS = f"""
SELECT {FACTS_COLUMNS},
       (SELECT json_agg(json_build_array(mark.user_id, p.username, mark.seq))
          FROM chat.read_cursor mark JOIN published.principal p ON p.user_id = mark.user_id WHERE mark.ticket_id = ticket.id)
  FROM chat.ticket WHERE id = ANY(%(tickets)s)
"""  # noqa: S608  a constant of this module

CONSUME_CONNECT_TICKET = """
DELETE FROM chat.connect_ticket WHERE secret_hash = %(hash)s
RETURNING ticket_id, user_id, username, generation, session_id, token_expires_at, expires_at > now() AS fresh
"""

DELETE_STALE_CONNECT_TICKETS = "DELETE FROM chat.connect_ticket WHERE expires_at < now() - interval '1 minute'"

ANSWERS_TICKETS = """
SELECT EXISTS (SELECT FROM chat.ticket WHERE assignee_id = %(user)s AND state = 'open')
    OR EXISTS (SELECT FROM published.support_agent WHERE user_id = %(user)s)
"""

# A row that an assignment holds is skipped: the next sweep renews it, and the two never wait for each other crosswise.
RENEW_LEASES = """
UPDATE chat.agent_status SET lease_until = now() + %(lease)s
 WHERE user_id IN (SELECT user_id FROM chat.agent_status
                    WHERE user_id = ANY(%(users)s) AND status <> 'offline' FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True, eq=False)
class MessageRow:
    """A message as MESSAGE_COLUMNS; two readings of one are two."""

    seq: int
    id: uuid.UUID
    client_id: str | None
    sender_id: uuid.UUID
    sender_username: str
    body: str
    created_at: datetime
    attachment: dict[str, Any] | None = None  # {id, name, size, content_type, state}


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A note as NOTE_COLUMNS. Its `seq` is what clients know as `note_seq`."""

    seq: int
    id: uuid.UUID
    client_id: str | None
    sender_id: uuid.UUID
    sender_username: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """What an open socket has to know of its ticket: who may see it, and how far it is."""

    id: uuid.UUID
    learner_id: uuid.UUID
    category_id: uuid.UUID
    state: str
    assignee_username: str | None
    head_seq: int
    head_note_seq: int

    def looks_like(self, other: TicketFacts) -> bool:
        """Whether state, agent and category are the same; the number of messages and notes is another matter."""
        return replace(self, head_seq=other.head_seq, head_note_seq=other.head_note_seq) == other
