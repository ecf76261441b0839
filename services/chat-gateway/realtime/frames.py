"""The frames that go over /ws/chat/{ticket}/: their shapes, how they are read, how they are written (design §6).

Plain frames are what every client may rely on; `chat.v1` is asked for as WebSocket subprotocol. asyncapi.py describes these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import orjson

from tickets.events import Signal
from tickets.sql import MessageRow, NoteRow

MAX_FRAME = 16 * 1024  # bytes; more is closed with 1009


class BadFrame(ValueError):
    """Says what is wrong with a frame. The socket stays."""


@dataclass(frozen=True, slots=True)
class Auth:
    """The first frame where neither a query token nor a connect ticket was given."""

    token: str


@dataclass(frozen=True, slots=True)
class Hello:
    """Starts the delivery: every message after `since`, or from now on where there is none. Answered by `welcome`.

    Agents get notes the same way, after `since_note`.
    """

    since: int | None = None
    since_note: int | None = None


@dataclass(frozen=True, slots=True)
class SendMessage:
    """A new message. Answered by `ack` once it is committed; the same `client_id` again gets the same answer.

    `attachment`: the id of a file that one sent to this ticket, and that is ready.
    """

    client_id: str
    message: str
    attachment: str | None = None


@dataclass(frozen=True, slots=True)
class Sync:
    """Sends every message after `since` again, and to agents every note after `since_note`, where it is given."""

    since: int
    since_note: int | None = None


@dataclass(frozen=True, slots=True)
class SendNote:
    """A note to the other agents, which the learner never sees. Answered by `ack` if it has a `client_id`."""

    note: str
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Typing:
    """One is writing; send it every few seconds for as long as that is so. Others are told, those who come later are not."""


@dataclass(frozen=True, slots=True)
class Read:
    """One has read up to `seq`; one beyond the newest message counts as the newest. Never goes back."""

    seq: int


@dataclass(frozen=True, slots=True)
class Refresh:
    """A newer access token of the same person, before the old one ends."""

    token: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Answered by `pong`."""


@dataclass(frozen=True, slots=True)
class HelloDesk:
    """Starts the desk, or starts it anew. Answered by `welcome`, then by everything that the desk shows."""


@dataclass(frozen=True, slots=True)
class Status:
    """Whether the agent is there. It counts for as long as the socket is open, and a minute longer."""

    status: Literal["online", "away", "offline"]


Incoming = Auth | Hello | SendMessage | SendNote | Sync | Typing | Read | Refresh | Ping | HelloDesk | Status
INCOMING: dict[str, type[Incoming]] = {
    "auth": Auth,
    "hello": Hello,
    "message": SendMessage,
    "note": SendNote,
    "sync": Sync,
    "typing": Typing,
    "read": Read,
    "refresh": Refresh,
    "ping": Ping,
}
INCOMING_DESK: dict[str, type[Incoming]] = {
    "auth": Auth,
    "hello": HelloDesk,
    "status": Status,
    "refresh": Refresh,
    "ping": Ping,
}
hints: Callable[[type], dict[str, Any]] = cache(get_type_hints)  # a frame's fields and their types
REQUIRED = {shape: {field.name for field in fields(shape) if field.default is MISSING} for shape in get_args(Incoming)}
encoded_once = lru_cache(maxsize=256)  # a row that was handed over to all sockets of a ticket is the same object
VALUES = {"typing": "typing", "presence": "online", "read": "seq"}  # what a signal's value is called in its frame
LARGEST_SEQ = 2**63 - 1


def _object(text: str) -> dict[str, Any]:
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadFrame("A frame is a JSON object.") from error
    if not isinstance(frame, dict):
        raise BadFrame("A frame is a JSON object.")
    return frame


def read(text: str, shapes: Mapping[str, type[Incoming]]) -> Incoming:
    """A frame of `chat.v1`, one of `shapes`. Raises BadFrame; fields that are not declared are refused too."""
    frame = _object(text)
    kind = frame.pop("type", None)
    shape = shapes.get(kind) if isinstance(kind, str) else None
    if shape is None:
        raise BadFrame(f'"type" is one of {", ".join(shapes)}.')
    if unknown := frame.keys() - hints(shape).keys():
        raise BadFrame(f"{kind} has no field {', '.join(sorted(unknown))}."[:200])
    if missing := REQUIRED[shape] - frame.keys():
        raise BadFrame(f"{kind} needs {', '.join(sorted(missing))}.")
    for name, value in frame.items():
        _check(kind, name, value, hints(shape)[name])
    return shape(**frame)


def _check(kind: object, name: str, value: object, expected: object) -> None:
    if value is None and expected in {str | None, int | None}:
        return  # it may be left out, or be null
    if expected in {str, str | None}:
        if not isinstance(value, str):
            raise BadFrame(f"{kind}: {name} is a text.")
    elif choices := get_args(expected) if get_origin(expected) is Literal else ():
        if value not in choices:
            raise BadFrame(f"{kind}: {name} is one of {', '.join(choices)}.")
    elif type(value) is not int or not 0 <= value <= LARGEST_SEQ:
        raise BadFrame(f"{kind}: {name} is a message's seq, 0 or more.")


def read_plain(text: str) -> str:
    """The text of a plain frame, {"message": …}; other fields are ignored. Raises BadFrame."""
    message = _object(text).get("message")
    if not isinstance(message, str):
        raise BadFrame('A frame is {"message": "…"}.')
    return message


def timestamp(moment: datetime) -> str:
    """`moment` in UTC, to the second."""
    return moment.astimezone(UTC).isoformat()[:19] + "Z"


@encoded_once
def plain_message(row: MessageRow) -> str:
    """Byte for byte as documented, spaces included: clients of the plain protocol are of every kind."""
    body, sender = orjson.dumps(row.body).decode(), orjson.dumps(row.sender_username).decode()
    attached = "" if row.attachment is None else f', "attachment": {json.dumps(row.attachment, ensure_ascii=False)}'
    return (
        f'{{"message": {body}, "sender": {sender}, "timestamp": "{timestamp(row.created_at)}", '
        f'"id": "{row.id}", "seq": {row.seq}{attached}}}'
    )


def frame(kind: str, **values: Any) -> str:
    return orjson.dumps({"type": kind, **values}).decode()


@encoded_once
def message(row: MessageRow) -> str:
    attached = {} if row.attachment is None else {"attachment": row.attachment}
    return frame(
        "message",
        seq=row.seq,
        id=row.id,
        client_id=row.client_id,
        message=row.body,
        sender=row.sender_username,
        timestamp=timestamp(row.created_at),
        **attached,
    )


def note(row: NoteRow) -> str:
    return frame(
        "note",
        note_seq=row.seq,
        id=row.id,
        client_id=row.client_id,
        note=row.body,
        sender=row.sender_username,
        timestamp=timestamp(row.created_at),
    )


def welcome(head_seq: int, **more: int) -> str:
    """`more`: head_note_seq, for agents."""
    return frame("welcome", head_seq=head_seq, **more)


def ack(client_id: str, **which: int) -> str:
    """`which`: the seq of a message, or the note_seq of a note."""
    return frame("ack", client_id=client_id, **which)


def assigned(state: str, assignee: str | None) -> str:
    return frame("assigned", state=state, assignee=assignee)


def signal(signal: Signal) -> str:
    value = {VALUES[signal.kind]: signal.value}
    return frame(signal.kind, user=signal.user, username=signal.username, **value)


def token_expiring(expires_at: datetime) -> str:
    return frame("token_expiring", expires_at=timestamp(expires_at))


def pong() -> str:
    return frame("pong")


def error(code: str, detail: str, **more: Any) -> str:
    """`more`: client_id of the message concerned, retry_after in seconds."""
    return frame("error", code=code, detail=detail, **more)
