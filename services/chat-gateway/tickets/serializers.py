"""The shapes of requests and answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tickets import texts
from tickets.models import (
    CLIENT_ID_MAX_LENGTH,
    COMMENT_MAX_LENGTH,
    MESSAGE_MAX_LENGTH,
    SUBJECT_MAX_LENGTH,
    TAGS_MOST,
    AssignmentReason,
    AttachmentState,
    Presence,
    Priority,
    Ticket,
)
from tickets.search import SEARCH_MAX_LENGTH
from tickets.sql import MessageRow, NoteRow

Value = TypeVar("Value", str, list[str])


def checked(clean: Callable[[Value], Value]) -> Callable[[Any, Value], Value]:
    """A validate_… method from one of texts.py's rules."""

    def validate(_self: Any, value: Value) -> Value:
        try:
            return clean(value)
        except texts.BadText as error:
            raise serializers.ValidationError(str(error)) from error

    return validate


PRIORITIES = [priority.name.lower() for priority in Priority]


class CategorySerializer(serializers.Serializer[dict[str, Any]]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()


class RatingSerializer(serializers.Serializer[Any]):
    score = serializers.IntegerField(min_value=1, max_value=5, source="rating")
    comment = serializers.CharField(
        source="rating_comment", max_length=COMMENT_MAX_LENGTH, required=False, allow_blank=True, default=""
    )
    rated_at = serializers.DateTimeField(read_only=True)

    validate_comment = checked(lambda text: texts.clean(text, COMMENT_MAX_LENGTH) if text.strip() else "")


class TicketSerializer(serializers.ModelSerializer[Ticket]):
    category = serializers.CharField(source="category_slug", help_text="slug")
    learner = serializers.CharField(source="learner_username", help_text="username")
    assignee = serializers.CharField(source="assignee_username", allow_null=True, help_text="username")
    priority = serializers.ChoiceField(source="priority_name", choices=PRIORITIES, read_only=True)
    lesson = serializers.UUIDField(source="lesson_id", allow_null=True)
    order = serializers.UUIDField(source="order_id", allow_null=True)
    unread = serializers.IntegerField(default=0, help_text="messages of others beyond read_seq")
    read_seq = serializers.IntegerField(default=0, help_text="up to where the asking person has read")
    closes_at = serializers.SerializerMethodField(help_text="it closes by itself then, unless somebody writes")
    rating = serializers.SerializerMethodField(help_text="the learner's, once it was closed")
    tags = serializers.SerializerMethodField(help_text="the agents' words for it; the learner sees none")

    class Meta:
        model = Ticket
        fields = [
            "id",
            "number",
            "category",
            "subject",
            "state",
            "priority",
            "learner",
            "learner_id",
            "assignee",
            "assignee_id",
            "lesson",
            "order",
            "head_seq",
            "read_seq",
            "unread",
            "created_at",
            "queued_at",
            "closed_at",
            "closes_at",
            "first_response_at",
            "rating",
            "tags",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_closes_at(self, ticket: Ticket) -> str | None:
        if ticket.closes_at is None or ticket.closes_seq != ticket.head_seq:  # or somebody wrote since
            return None
        return ticket.closes_at.strftime(str(settings.REST_FRAMEWORK["DATETIME_FORMAT"]))

    @extend_schema_field(RatingSerializer(allow_null=True))
    def get_rating(self, ticket: Ticket) -> dict[str, Any] | None:
        return RatingSerializer(ticket).data if ticket.rating is not None else None

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_tags(self, ticket: Ticket) -> list[str]:
        return ticket.tags if getattr(ticket, "for_agent", False) else []


class NewTicketSerializer(serializers.Serializer[Any]):
    category = serializers.CharField(max_length=100, help_text="slug")
    subject = serializers.CharField(max_length=SUBJECT_MAX_LENGTH)
    message = serializers.CharField(max_length=MESSAGE_MAX_LENGTH, trim_whitespace=False)
    lesson = serializers.UUIDField(required=False, allow_null=True, help_text="which this is about")
    order = serializers.UUIDField(required=False, allow_null=True, help_text="of one's own, which this is about")
    client_id = serializers.CharField(
        required=False, allow_null=True, max_length=CLIENT_ID_MAX_LENGTH, help_text="the same again: the same ticket"
    )

    validate_subject = checked(lambda text: texts.clean_line(text, SUBJECT_MAX_LENGTH))
    validate_message = checked(texts.clean)
    validate_client_id = checked(lambda value: value and texts.clean_client_id(value))


class AttachmentSerializer(serializers.Serializer[Any]):
    """A file. It is downloaded at /chat/v1/attachments/{id}/ once its state is ready."""

    id = serializers.UUIDField()
    name = serializers.CharField(help_text="what a download is called")
    size = serializers.IntegerField(help_text="bytes")
    content_type = serializers.CharField(help_text="by the file's own bytes")
    state = serializers.ChoiceField(choices=AttachmentState.choices)


class MessageSerializer(serializers.Serializer[MessageRow]):
    seq = serializers.IntegerField()
    id = serializers.UUIDField()
    client_id = serializers.CharField(allow_null=True)
    message = serializers.CharField(source="body", help_text="empty: erased, with the person whose ticket it is")
    sender = serializers.CharField(source="sender_username", help_text="username")
    timestamp = serializers.DateTimeField(source="created_at")
    attachment = AttachmentSerializer(required=False, help_text="missing where there is none")

    def to_representation(self, instance: MessageRow) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        return {name: value for name, value in shown.items() if name != "attachment" or value is not None}


class NewMessageSerializer(serializers.Serializer[Any]):
    message = serializers.CharField(max_length=MESSAGE_MAX_LENGTH, trim_whitespace=False)
    client_id = serializers.CharField(
        required=False, allow_null=True, max_length=CLIENT_ID_MAX_LENGTH, help_text="the same again: the same message"
    )
    attachment = serializers.UUIDField(
        required=False, allow_null=True, help_text="of one's own, of this ticket, ready, and in no other message"
    )

    validate_message = checked(texts.clean)
    validate_client_id = checked(lambda value: value and texts.clean_client_id(value))


class MessagesQuerySerializer(serializers.Serializer[Any]):
    after = serializers.IntegerField(default=0, min_value=0, help_text="only messages with a greater seq")
    limit = serializers.IntegerField(default=100, min_value=1, max_value=500)


class MessagePageSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="all messages of the ticket")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = MessageSerializer(many=True)


class NoteSerializer(serializers.Serializer[NoteRow]):
    note_seq = serializers.IntegerField(source="seq", help_text="of the ticket's notes; messages count apart")
    id = serializers.UUIDField()
    client_id = serializers.CharField(allow_null=True)
    note = serializers.CharField(source="body", help_text="empty: erased, with the person whose ticket it is")
    sender = serializers.CharField(source="sender_username", help_text="username")
    timestamp = serializers.DateTimeField(source="created_at")


class NewNoteSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=MESSAGE_MAX_LENGTH, trim_whitespace=False)
    client_id = serializers.CharField(
        required=False, allow_null=True, max_length=CLIENT_ID_MAX_LENGTH, help_text="the same again: the same note"
    )

    validate_note = checked(texts.clean)
    validate_client_id = checked(lambda value: value and texts.clean_client_id(value))


class NotePageSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="all notes of the ticket")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = NoteSerializer(many=True)


class TicketsQuerySerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=["queued", "open", "closed"], required=False, allow_blank=True)
    assigned = serializers.ChoiceField(choices=["me", "none"], required=False, allow_blank=True)
    category = serializers.CharField(required=False, allow_blank=True, max_length=100, help_text="slug")
    tag = serializers.CharField(required=False, allow_blank=True, help_text="of tickets that one answers")
    search = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=SEARCH_MAX_LENGTH,
        help_text="words, whole or begun, in subjects and messages (agents: in notes, too); the newest 500 at most",
    )

    validate_tag = checked(lambda tag: texts.clean_tag(tag) if tag else "")


def tag_list(**about: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(max_length=100), max_length=TAGS_MOST, **about)


@checked
def clean_tags(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(texts.clean_tag(tag) for tag in tags))


class TagsSerializer(serializers.Serializer[Any]):
    tags = tag_list(help_text="all there shall be")

    validate_tags = clean_tags


class TagChangesSerializer(serializers.Serializer[Any]):
    add = tag_list(default=list)
    remove = tag_list(default=list)

    validate_add = validate_remove = clean_tags


class CannedAnswersQuerySerializer(serializers.Serializer[Any]):
    category = serializers.CharField(required=False, allow_blank=True, max_length=100, help_text="slug")


class CannedAnswerSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    shortcut = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField()
    category = serializers.CharField(allow_null=True, help_text="slug; none: for all tickets")


class ReadSerializer(serializers.Serializer[Any]):
    seq = serializers.IntegerField(min_value=0)


class TransferSerializer(serializers.Serializer[Any]):
    agent = serializers.UUIDField(required=False, help_text="the agent's user id")
    category = serializers.CharField(required=False, max_length=100, help_text="slug")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError({"agent": ["Name either an agent or a category."]})
        return attrs


class NewPrioritySerializer(serializers.Serializer[Any]):
    priority = serializers.ChoiceField(choices=PRIORITIES)


class AssignmentSerializer(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=AssignmentReason.choices)
    agent = serializers.CharField(allow_null=True, help_text="username of who has it from then on; null: nobody")
    agent_id = serializers.UUIDField(allow_null=True)
    actor = serializers.CharField(allow_null=True, help_text="username of whose doing it is; null: the rule's")
    actor_id = serializers.UUIDField(allow_null=True)
    over_capacity = serializers.BooleanField(help_text="a support lead gave the agent more than they have room for")
    at = serializers.DateTimeField()


class NewProposalSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["refund", "extension"])
    order_line = serializers.UUIDField(help_text="a line of the learner's order")
    days = serializers.IntegerField(required=False, min_value=1, max_value=366, help_text="of an extension")
    reason = serializers.CharField(max_length=200)

    validate_reason = checked(texts.clean)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["kind"] == "extension") != ("days" in attrs):
            raise serializers.ValidationError({"days": ["An extension says by how many days; a refund does not."]})
        return attrs


class ProposalSerializer(serializers.Serializer[Any]):
    approval = serializers.UUIDField(help_text="somebody with payments.refund decides it")


class ProposedSerializer(serializers.Serializer[Any]):
    approval = serializers.UUIDField(source="approval_id")
    kind = serializers.ChoiceField(choices=["refund", "extension"])
    state = serializers.ChoiceField(choices=["pending", "approved", "rejected"])
    order_line = serializers.UUIDField(allow_null=True)
    days = serializers.IntegerField(allow_null=True, help_text="of an extension")
    amount = serializers.IntegerField(allow_null=True, help_text="credits of a refund")
    reason = serializers.CharField()
    proposed_by = serializers.UUIDField(help_text="the agent's user id")
    proposed_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField(help_text="what the decider said")


class NewConnectTicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.UUIDField(allow_null=True, help_text="null: the desk (support.answer)")


class ConnectTicketSerializer(serializers.Serializer[Any]):
    connect_ticket = serializers.CharField(help_text="sent as WebSocket subprotocol ticket.<this>, once")
    expires_at = serializers.DateTimeField()


class PresenceSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=Presence.choices)


class QueueSerializer(serializers.Serializer[Any]):
    """How many tickets of one category wait."""

    slug = serializers.CharField()
    name = serializers.CharField()
    queued = serializers.IntegerField()
    oldest_queued_at = serializers.DateTimeField(allow_null=True, help_text="null: none waits")


class AgentSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=Presence.choices)
    capacity = serializers.IntegerField()
    open_tickets = serializers.IntegerField()
    categories = serializers.ListField(child=serializers.CharField(), help_text="slugs")
    lease_until = serializers.DateTimeField(allow_null=True, help_text="until when the status counts, if not renewed")
