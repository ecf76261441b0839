"""The AsyncAPI 3 document of the WebSockets, made from the frames themselves (frames.py)."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from django.conf import settings
from drf_spectacular.drainage import get_override
from rest_framework import serializers

from realtime import frames, handshake
from tickets.serializers import AgentSerializer, QueueSerializer, TicketSerializer

TEXT = {"type": "string"}
SEQ = {"type": "integer", "minimum": 0}
TIME = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
UUID = {"type": "string", "format": "uuid"}
WHO = {"user": UUID, "username": TEXT}
ATTACHMENT = {
    "type": "object",
    "required": ["id", "name", "size", "content_type", "state"],
    "properties": {"id": UUID, "name": TEXT, "size": SEQ, "content_type": TEXT, "state": TEXT},
}
CLIENT_ID = {"type": ["string", "null"]}
MESSAGE = {"message": TEXT, "sender": TEXT, "timestamp": TIME, "id": UUID, "seq": SEQ}

# Frames out: what each holds; a field in OPTIONAL may be missing.
OUTGOING: dict[str, tuple[str, dict[str, Any]]] = {
    "welcome": ("Answers hello. Every message after `since` follows.", {"head_seq": SEQ, "head_note_seq": SEQ}),
    "message": (
        "A message of the ticket, in the order of `seq`, one's own too.",
        MESSAGE | {"client_id": CLIENT_ID, "attachment": ATTACHMENT},
    ),
    "note": (
        "To the ticket's agents: a note of theirs, in the order of `note_seq`.",
        {"note": TEXT, "sender": TEXT, "timestamp": TIME, "id": UUID, "note_seq": SEQ, "client_id": CLIENT_ID},
    ),
    "ack": (
        "One's own message (`seq`) or note (`note_seq`) is committed.",
        {"client_id": TEXT, "seq": SEQ, "note_seq": SEQ},
    ),
    "assigned": (
        "The ticket's state or agent is another.",
        {"state": {"enum": ["queued", "open", "closed"]}, "assignee": {"type": ["string", "null"]}},
    ),
    "typing": ("Somebody writes; it ends by itself after 6 s. May be lost.", WHO | {"typing": {"const": True}}),
    "presence": (
        "Somebody looks at the ticket, or does no more. May be lost; after hello: who is there.",
        WHO | {"online": {"type": "boolean"}},
    ),
    "read": (
        "Somebody, perhaps oneself, has read up to `seq`. May be lost; after hello: as it is kept.",
        WHO | {"seq": SEQ},
    ),
    "token_expiring": ("Send refresh{token} before then; 25 s later the socket is closed.", {"expires_at": TIME}),
    "pong": ("Answers ping.", {}),
    "error": (
        "A frame was not acted on; the socket stays.",
        {
            "code": {
                "enum": [
                    *("malformed", "invalid", "ticket_closed", "too_fast", "too_many_sockets", "token_invalid"),
                    *("permission_denied", "ticket_erased", "attachment_not_ready", "unavailable"),
                ],
            },
            "detail": TEXT,
            "client_id": TEXT,
            "retry_after": {"type": "number", "description": "seconds"},
        },
    ),
}
OPTIONAL = {
    "message": {"attachment"},
    "welcome": {"head_note_seq"},
    "ack": {"seq", "note_seq"},
    "error": {"client_id", "retry_after"},
}
CLOSE_CODES = {
    handshake.MALFORMED: "the request asks for nothing that is spoken here, or `since` is no number",
    handshake.NOT_AUTHENTICATED: "no token, a bad or ended one, a used connect ticket, or no auth frame within 5 s",
    handshake.FORBIDDEN: "a foreign or unknown ticket, or a browser origin that is not allowed",
    handshake.TOO_SLOW: "did not read for 10 s",
    handshake.TOO_FAST: "went on sending beyond 5 frames a second; or (after error `too_many_sockets`) the person opened"
    " 5 others of the kind since: do not come back by yourself",
    1009: "a frame of more than 16 KiB",
    handshake.FAILED: "something went wrong here, and is logged: come back with `since`",
    handshake.RESTARTING: "the server restarts: come back with `since`",
    handshake.TRY_LATER: "the server cannot check anything now: come back with `since`",
}


def schema(kind: str | None, declared: dict[str, Any], optional: set[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {"type": {"const": kind}} if kind else {}
    properties |= declared
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def incoming(kind: str, shape: type[frames.Incoming]) -> dict[str, Any]:
    hints = frames.hints(shape)
    properties = {f.name: value(hints[f.name]) for f in fields(shape)}
    return schema(kind, properties, {f.name for f in fields(shape) if f.default is not MISSING})


def value(expected: object) -> dict[str, Any]:
    if get_origin(expected) is Literal:
        return {"enum": list(get_args(expected))}
    return TEXT if expected in {str, str | None} else SEQ


def messages() -> dict[str, dict[str, Any]]:
    """Every frame by its component name: client_… those sent to us, server_… those we send."""
    plain = schema(None, {"message": TEXT}, set()) | {"additionalProperties": True}
    found: dict[str, dict[str, Any]] = {
        "client_plain": {"payload": plain, "title": "plain, in"},
        "server_plain": {
            "payload": schema(None, MESSAGE | {"attachment": ATTACHMENT}, {"attachment"}),
            "title": "plain, out",
        },
    }
    for kind, shape in frames.INCOMING.items():
        found[f"client_{kind}"] = {"name": kind, "summary": shape.__doc__, "payload": incoming(kind, shape)}
    for kind, (summary, properties) in OUTGOING.items():
        payload = schema(kind, properties, OPTIONAL.get(kind, set()))
        found[f"server_{kind}"] = {"name": kind, "summary": summary, "payload": payload}
    return found


def shape_of(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    """The properties of what a REST serializer writes."""
    return {name: written(field) for name, field in serializer.fields.items()}


def written(field: Any) -> dict[str, Any]:
    """The JSON schema of one field's value."""
    match field:
        case serializers.ChoiceField():
            found: dict[str, Any] = {"enum": [*field.choices, *([None] if field.allow_null else [])]}
        case serializers.UUIDField():
            found = UUID
        case serializers.DateTimeField():
            found = TIME
        case serializers.IntegerField():
            found = {"type": "integer"}
        case serializers.ListField():
            found = {"type": "array", "items": written(field.child)}
        case serializers.SerializerMethodField():
            found = written(get_override(getattr(field.parent, str(field.method_name)), "field"))
        case serializers.Serializer():
            found = schema(None, shape_of(field), set())
        case _:
            found = TEXT
    if field.allow_null and "type" in found:
        found = found | {"type": [found["type"], "null"]}
    return found | ({"description": str(field.help_text)} if field.help_text else {})


AGENT = shape_of(AgentSerializer())
# The desk's frames out. What REST gives, too, has its shape from there.
DESK: dict[str, tuple[str, dict[str, Any]]] = {
    "welcome": ("Answers hello: oneself, as GET /agents/me/. Everything that the desk shows follows.", AGENT),
    "ticket": (
        "A ticket that the desk shows, new or changed, as REST gives it: one's own open ones, and of each of one's "
        "categories the first 50 that wait.",
        shape_of(TicketSerializer()),
    ),
    "gone": (
        "The desk shows this ticket no more: it is closed, somebody else's, or not among the first.",
        {"id": UUID},
    ),
    "queue": (
        "How many tickets wait in each of one's categories.",
        {"categories": {"type": "array", "items": schema(None, shape_of(QueueSerializer()), set())}},
    ),
    "agents": (
        "Who else answers one's categories (for leads: everybody), as GET /agents/.",
        {"agents": {"type": "array", "items": schema(None, AGENT, set())}},
    ),
} | {kind: OUTGOING[kind] for kind in ("token_expiring", "pong", "error")}


def desk_messages() -> dict[str, dict[str, Any]]:
    found = {
        f"desk_client_{kind}": {"name": kind, "summary": shape.__doc__, "payload": incoming(kind, shape)}
        for kind, shape in frames.INCOMING_DESK.items()
    }
    for kind, (summary, properties) in DESK.items():
        payload = schema(kind, properties, OPTIONAL.get(kind, set()))
        found[f"desk_server_{kind}"] = {"name": kind, "summary": summary, "payload": payload}
    return found


def document() -> dict[str, Any]:
    parts = urlsplit(settings.PUBLIC_URL)
    names, desk = list(messages()), desk_messages()
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Lectern support chat, live", "version": "1", "description": description()},
        "servers": {"lectern": {"host": parts.netloc, "protocol": "wss" if parts.scheme == "https" else "ws"}},
        "channels": {
            "ticket": {
                "address": "/ws/chat/{ticket_id}/",
                "parameters": {"ticket_id": {"description": "the ticket's id"}},
                "messages": references(names),
            },
            "desk": {"address": "/ws/desk/", "messages": references(list(desk))},
        },
        "operations": {
            "send": operation("receive", "ticket", [name for name in names if name.startswith("client_")]),
            "deliver": operation("send", "ticket", [name for name in names if name.startswith("server_")]),
            "send_desk": operation("receive", "desk", [name for name in desk if name.startswith("desk_client_")]),
            "deliver_desk": operation("send", "desk", [name for name in desk if name.startswith("desk_server_")]),
        },
        "components": {"messages": messages() | desk},
    }


def references(names: list[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def operation(action: str, channel: str, names: list[str]) -> dict[str, Any]:
    """`action` is the server's own, as AsyncAPI 3 has it."""
    spoken = [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "messages": spoken}


def description() -> str:
    codes = "\n".join(f"- {code}: {meaning}" for code, meaning in CLOSE_CODES.items())
    return (
        "Subprotocol `chat.v1` for typed frames; none or `plain.v1` for plain ones, with `?since=` to replay. "
        "Credential: `?token=`, or subprotocol `ticket.<connect ticket>` beside the other, or (chat.v1) a first frame "
        "`auth`. An acknowledged message is committed; `seq` has no gaps.\n\nClose codes:\n" + codes
    )
