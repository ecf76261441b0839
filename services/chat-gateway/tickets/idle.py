"""Tickets whose learner does not answer close by themselves, a day after they were told so by mail.

Idle is a ticket whose last word an agent has; one whose learner waits for an answer never closes by itself. Any message, by
whom ever, makes the notice void: it holds the number of the newest message there was.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from tickets import assignment, events, letters
from tickets.models import AssignmentReason, Ticket, TicketState

NOTICE = timedelta(days=1)
BATCH = 100

# A row that somebody holds (a message is being written) is left for the next time; one that changed meanwhile is seen as it is.
GIVE_NOTICE = """
WITH idle AS (
    SELECT t.id FROM chat.ticket t JOIN chat.message m ON m.ticket_id = t.id AND m.seq = t.head_seq
     WHERE (t.state = 'queued' OR t.state = 'open') AND m.sender_id <> t.learner_id
       AND greatest(m.created_at, t.queued_at) <= now() - %(quiet)s::interval
       AND t.closes_seq IS DISTINCT FROM t.head_seq
     ORDER BY t.id LIMIT %(batch)s FOR NO KEY UPDATE OF t SKIP LOCKED
)
UPDATE chat.ticket t SET closes_at = now() + %(notice)s::interval, closes_seq = t.head_seq
  FROM idle WHERE idle.id = t.id
RETURNING t.id, t.head_seq, t.number, t.learner_id, t.closes_at
"""


def sweep(after: timedelta) -> int:
    """Closes what is due, and gives notice of what will be: idle for `after` altogether. How many were closed."""
    notice = min(NOTICE, after / 2)
    closed = 0
    while batch := close_due():
        closed += batch
    while give_notice(after - notice, notice) == BATCH:
        pass
    if closed:
        assignment.assign_soon()
    return closed


@transaction.atomic
def close_due() -> int:
    """Closes up to BATCH tickets in which nobody wrote since the notice; how many. Several at once share them."""
    due = Ticket.objects.filter(closes_at__lte=Now(), closes_seq=F("head_seq")).exclude(state=TicketState.CLOSED)
    locked = list(due.order_by("pk").select_for_update(no_key=True, skip_locked=True)[:BATCH])
    for ticket in locked:
        assignment.shut(ticket, AssignmentReason.IDLE, None)
    return len(locked)


@transaction.atomic
def give_notice(quiet: timedelta, notice: timedelta) -> int:
    """Tells the learners of up to BATCH tickets that are quiet for so long; how many. The mail and the mark are one commit."""
    with connection.cursor() as cursor:
        cursor.execute(GIVE_NOTICE, {"quiet": str(quiet), "notice": str(notice), "batch": BATCH})
        told = cursor.fetchall()
        for ticket, head_seq, number, learner, closes_at in told:
            cursor.execute(f"SELECT {letters.QUEUE_MAIL}", letters.closes(learner, number, closes_at))
            events.publish_on_commit(events.TicketEvent(ticket, head_seq, changed=True))
    return len(told)
