"""Who is there, who had what, who may open a socket, and who is erased."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from tickets.models.ticket import Ticket
from tickets.models.words import AssignmentReason, Presence


class AgentStatus(models.Model):
    """Whether an agent is there. It counts until `lease_until`, which an open socket and PUT /agents/me/ renew."""

    user_id = models.UUIDField(primary_key=True)
    status = models.CharField(max_length=10, choices=Presence.choices)
    lease_until = models.DateTimeField()
    assigned_at = models.DateTimeField(null=True)  # when the rule last gave this agent a ticket: takes turns

    class Meta:
        db_table = "agent_status"
        constraints = [
            models.CheckConstraint(name="agent_status_known", condition=Q(status__in=Presence.values)),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.status}"


class Assignment(models.Model):
    """Who had which ticket since when, why, and by whose hand. Only ever added to."""

    id = models.BigAutoField(primary_key=True)
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="assignments")
    agent_id = models.UUIDField(null=True)  # none: back to the queue, or closed
    actor_id = models.UUIDField(null=True)  # none: the rule
    reason = models.CharField(max_length=20, choices=AssignmentReason.choices)
    over_capacity = models.BooleanField(db_default=False)  # a support lead gave the agent more than they have room for
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "assignment"
        indexes = [
            models.Index(name="assignment_of_agent", fields=["agent_id"]),
            models.Index(name="assignment_at", fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.reason}"


class ConnectTicket(models.Model):
    """A single-use pass for one WebSocket, so that no token stands in a URL. Only its hash is kept; using it deletes it."""

    secret_hash = models.BinaryField(primary_key=True, max_length=32)  # SHA-256
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, db_index=False, null=True)
    user_id = models.UUIDField()
    username = models.CharField(max_length=150)
    generation = models.IntegerField()
    session_id = models.UUIDField()
    token_expires_at = models.DateTimeField()  # the access token's end stays the socket's
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "connect_ticket"
        constraints = [
            models.CheckConstraint(
                name="connect_ticket_within_token", condition=Q(expires_at__lte=F("token_expires_at"))
            ),
        ]

    def __str__(self) -> str:
        return f"connect ticket of {self.user_id}"


class Erasure(models.Model):
    """Somebody whom core-api has erased, and who is erased here. `settled`: also what they were writing meanwhile."""

    user_id = models.UUIDField(primary_key=True)
    erased_at = models.DateTimeField()  # core-api's time: another one, after a restored backup, is another erasure
    settled = models.BooleanField()

    class Meta:
        db_table = "erasure"

    def __str__(self) -> str:
        return f"erasure of {self.user_id}"
