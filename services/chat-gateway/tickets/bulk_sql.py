"""Statements that do for many messages or tickets at once what those of sql.py do for one (realtime/store.py gathers them)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tickets.sql import MESSAGE_COLUMNS

# APPEND_MESSAGE for many, in the order given. Tickets whose row somebody else holds are left out instead of waited
# for, so that this waits for nobody and holds up nobody; so are closed and foreign ones and client ids used before. Whoever
# has no row here asks again with APPEND_MESSAGE, which knows why. Used client ids are looked for as by FIND_MESSAGE.
# `messages` is one JSON array: to write one array a column took psycopg a fifteenth of all that a message costs the gateway.
APPEND_MESSAGES = f"""
WITH asked AS (
    SELECT * FROM ROWS FROM (json_to_recordset(%(messages)s)
             AS (id uuid, ticket uuid, client_id text, sender uuid, username text, categories uuid[], body text))
             WITH ORDINALITY AS asked (id, ticket_id, client_id, sender_id, username, categories, body, place)
), held AS (
    SELECT id, head_seq, learner_id, category_id FROM chat.ticket
     WHERE id = ANY(ARRAY(SELECT ticket_id FROM asked)) AND state <> 'closed' FOR NO KEY UPDATE SKIP LOCKED
), numbered AS (
    SELECT asked.*, learner_id, held.head_seq + row_number() OVER (PARTITION BY ticket_id ORDER BY place) AS seq
      FROM asked JOIN held ON held.id = ticket_id
     WHERE (learner_id = sender_id OR category_id = ANY(categories))
       AND NOT EXISTS (SELECT FROM chat.message m WHERE m.sender_id = asked.sender_id AND m.client_id = asked.client_id
                                                    AND m.ticket_id IS NOT DISTINCT FROM asked.ticket_id)
), advanced AS (
    UPDATE chat.ticket
       SET head_seq = newest,
           first_response_at = coalesce(first_response_at, CASE WHEN agent IS NOT NULL THEN clock_timestamp() END),
           first_response_by_id = coalesce(first_response_by_id, agent)
      FROM (SELECT ticket_id, max(seq) AS newest,
                   (array_agg(sender_id ORDER BY seq) FILTER (WHERE sender_id <> learner_id))[1] AS agent
              FROM numbered GROUP BY ticket_id) AS heads WHERE id = ticket_id
)
INSERT INTO chat.message (id, ticket_id, seq, client_id, sender_id, sender_username, body, created_at)
SELECT id, ticket_id, seq, client_id, sender_id, username, body, clock_timestamp() FROM numbered
RETURNING {MESSAGE_COLUMNS}
"""  # noqa: S608  a constant of this module

# MESSAGES_AFTER for many tickets; `place` says for which of them a row is, counted from 1.
MESSAGES_AFTER_EACH = f"""
SELECT place, found.* FROM unnest(%(tickets)s::uuid[], %(afters)s::bigint[]) WITH ORDINALITY AS asked (ticket, after, place),
LATERAL (SELECT {MESSAGE_COLUMNS} FROM chat.message
          WHERE ticket_id = asked.ticket AND seq > asked.after ORDER BY seq LIMIT %(limit)s) AS found
 ORDER BY place, seq
"""  # noqa: S608  a constant of this module

# PERSON for many.
PERSON_EACH = """
SELECT place, p.username, p.permissions,
       ARRAY(SELECT a.category_id FROM published.support_agent a WHERE a.user_id = p.user_id) AS categories
  FROM unnest(%(users)s::uuid[], %(generations)s::int[], %(sessions)s::uuid[]) WITH ORDINALITY
       AS asked (user_id, generation, session_id, place)
  JOIN published.principal p ON p.user_id = asked.user_id
 WHERE p.is_active AND p.erased_at IS NULL AND p.generation <= asked.generation
   AND NOT EXISTS (SELECT FROM published.ended_session e WHERE e.session_id = asked.session_id)
"""


def append_parameters(messages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Those of APPEND_MESSAGES from those of APPEND_MESSAGE."""
    return {"messages": orjson.dumps(messages).decode()}
