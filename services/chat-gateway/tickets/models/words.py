"""The words that rows are in: states, priorities, reasons; and how much of anything there may be."""

from __future__ import annotations

import uuid

import uuid_utils.compat
from django.db import models

MESSAGE_MAX_LENGTH = 4000  # characters: the longest fits a 16 KiB frame even at four bytes each
SUBJECT_MAX_LENGTH = 200
CLIENT_ID_MAX_LENGTH = 64
TAG_MAX_LENGTH = 40
TAGS_MOST = 10
COMMENT_MAX_LENGTH = 1000


def new_id() -> uuid.UUID:
    return uuid_utils.compat.uuid7()


class TicketState(models.TextChoices):
    QUEUED = "queued"
    OPEN = "open"
    CLOSED = "closed"


class Priority(models.IntegerChoices):
    """A ticket begins with its category's (core's admin site); an agent may change it. tickets/rule.py says its worth."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    URGENT = 3


class Presence(models.TextChoices):
    ONLINE = "online"
    AWAY = "away"
    OFFLINE = "offline"


class AssignmentReason(models.TextChoices):
    ASSIGNED = "assigned"  # by the rule
    CLAIMED = "claimed"
    TRANSFERRED = "transferred"
    RELEASED = "released"  # the agent was gone, or serves the category no more
    CLOSED = "closed"
    REOPENED = "reopened"
    IDLE = "idle"  # closed: its learner did not answer
    PRIORITISED = "prioritised"  # the same agent, another place in the queue


class AttachmentState(models.TextChoices):
    SCANNING = "scanning"
    READY = "ready"
    REJECTED = "rejected"  # something was found in it, and its file is gone
