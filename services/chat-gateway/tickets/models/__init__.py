"""What the chat gateway keeps.

People, categories, lessons and orders belong to core-api; they appear here by id, with the names that were shown then.
"""

from tickets.models.conversation import Attachment, Message, Note, ReadCursor, UnreadMail
from tickets.models.people import AgentStatus, Assignment, ConnectTicket, Erasure
from tickets.models.ticket import PLACE, Ticket
from tickets.models.words import (
    CLIENT_ID_MAX_LENGTH,
    COMMENT_MAX_LENGTH,
    MESSAGE_MAX_LENGTH,
    SUBJECT_MAX_LENGTH,
    TAG_MAX_LENGTH,
    TAGS_MOST,
    AssignmentReason,
    AttachmentState,
    Presence,
    Priority,
    TicketState,
    new_id,
)

__all__ = [
    "CLIENT_ID_MAX_LENGTH",
    "COMMENT_MAX_LENGTH",
    "MESSAGE_MAX_LENGTH",
    "PLACE",
    "SUBJECT_MAX_LENGTH",
    "TAGS_MOST",
    "TAG_MAX_LENGTH",
    "AgentStatus",
    "Assignment",
    "AssignmentReason",
    "Attachment",
    "AttachmentState",
    "ConnectTicket",
    "Erasure",
    "Message",
    "Note",
    "Presence",
    "Priority",
    "ReadCursor",
    "Ticket",
    "TicketState",
    "UnreadMail",
    "new_id",
]
