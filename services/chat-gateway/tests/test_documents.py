"""What clients read about this service, and whether it is true."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import uuid

import jsonschema
from django.urls import URLPattern, get_resolver

from realtime import asyncapi, frames
from tests.conftest import manage
from tests.sockets import opened, talking
from tickets.events import Signal
from tickets.permissions import AUTHENTICATED, PUBLIC
from tickets.sql import MessageRow, NoteRow


def routes(resolver=None, prefix=""):
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLPattern):
            yield prefix + str(entry.pattern), entry.callback.view_class
        else:
            yield from routes(entry, prefix + str(entry.pattern))


def test_every_route_declares_its_permission_and_stands_in_the_document(call):
    document = call(None, "GET", "/openapi.json").json()
    found = {path for path, view in routes() if "openapi" not in path and "asyncapi" not in path}
    assert {re.sub(r"<\w+:(\w+)>", r"{\1}", f"/{path}") for path in found} == set(document["paths"])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            known = {AUTHENTICATED, PUBLIC, "support.answer", "support.lead"}
            assert operation["x-permission"] in known, f"{method} {path}"


def test_a_view_that_declares_nothing_answers_nobody(alice):
    from rest_framework.test import APIRequestFactory
    from rest_framework.views import APIView

    class Forgotten(APIView):
        def get(self, request):
            raise AssertionError("must not be reached")

    request = APIRequestFactory().get("/", headers={"authorization": f"Bearer {alice.token()}"})
    assert Forgotten.as_view()(request).status_code == 403


def test_the_openapi_document_has_no_warnings():
    checked = manage("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_document_says_how_to_send_a_token(call):
    """Else Swagger UI has no button for it, and nothing here can be tried."""
    document = call(None, "GET", "/openapi.json").json()
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert document["components"]["securitySchemes"] == {"Bearer": bearer}
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation["security"] == [{"Bearer": []}] for operation in operations)


def test_lists_are_documented_as_pages(call):
    document = call(None, "GET", "/openapi.json").json()
    answer = document["paths"]["/chat/v1/tickets/"]["get"]["responses"]
    assert answer["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/PaginatedTicketList"
    }
    assert "application/problem+json" in answer["503"]["content"]


def fits(name, frame):
    jsonschema.validate(frame, asyncapi.messages()[name]["payload"])
    return True


def test_the_asyncapi_document_describes_every_frame(call):
    document = call(None, "GET", "/asyncapi.json").json()
    assert document["asyncapi"].startswith("3.")
    described = set(document["components"]["messages"])
    assert {f"client_{kind}" for kind in frames.INCOMING} < described
    for reference in document["operations"]["send"]["messages"] + document["operations"]["deliver"]["messages"]:
        assert reference["$ref"].rpartition("/")[2] in described


def test_what_is_written_fits_what_is_documented():
    row = MessageRow(
        1, uuid.uuid4(), None, uuid.uuid4(), "alice", "Hi", datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC)
    )
    written = {
        "server_plain": frames.plain_message(row),
        "server_message": frames.message(row),
        "server_note": frames.note(NoteRow(1, row.id, None, row.sender_id, "bob", "Hm", row.created_at)),
        "server_welcome": frames.welcome(3, head_note_seq=1),
        "server_ack": frames.ack("c", seq=3),
        "server_typing": frames.signal(Signal("typing", row.id, row.sender_id, "alice")),
        "server_presence": frames.signal(Signal("presence", row.id, row.sender_id, "alice", False)),
        "server_read": frames.signal(Signal("read", row.id, row.sender_id, "alice", 3)),
        "server_assigned": frames.assigned("queued", None),
        "server_token_expiring": frames.token_expiring(row.created_at),
        "server_pong": frames.pong(),
        "server_error": frames.error("too_fast", "Slow down.", retry_after=0.2),
    }
    assert set(written) == {name for name in asyncapi.messages() if name.startswith("server_")}
    for name, text in written.items():
        assert fits(name, json.loads(text))
    assert json.loads(written["server_message"])["timestamp"] == "2026-01-02T03:04:05Z"
    file = {"id": str(row.id), "name": "Grüße.png", "size": 3, "content_type": "image/png", "state": "ready"}
    sent = dataclasses.replace(row, attachment=file)
    for name, write in (("server_plain", frames.plain_message), ("server_message", frames.message)):
        assert fits(name, json.loads(write(sent)))
        assert json.loads(write(sent))["attachment"] == file
        assert "attachment" not in json.loads(write(row))
    plain = frames.plain_message(sent)
    assert plain.endswith(
        f'"seq": 1, "attachment": {{"id": "{row.id}", "name": "Grüße.png", "size": 3, '
        '"content_type": "image/png", "state": "ready"}}'
    )


def test_what_is_read_is_what_is_documented():
    good = {
        "auth": {"token": "t"},
        "hello": {},
        "message": {"client_id": "c", "message": "m"},
        "note": {"note": "n"},
        "sync": {"since": 0, "since_note": 0},
        "typing": {},
        "read": {"seq": 1},
        "refresh": {"token": "t"},
        "ping": {},
    }
    assert set(good) == set(frames.INCOMING)
    for kind, values in good.items():
        frame = {"type": kind, **values}
        assert fits(f"client_{kind}", frame)
        assert isinstance(frames.read(json.dumps(frame), frames.INCOMING), frames.INCOMING[kind])


async def test_a_real_conversation_fits_the_document(server, ticket, alice):
    client = await talking(server, ticket["id"], alice)
    await client.send(type="message", client_id="c", message="Hello")
    await client.send(type="ping")
    await client.send(type="nonsense")
    seen = set()
    while not {"message", "ack", "pong", "error"} <= seen:
        frame = await client.next()
        assert fits(f"server_{frame['type']}", frame)
        seen.add(frame["type"])
    plain = await opened(server.chat(ticket["id"], f"?token={alice.token()}&since=0"))
    assert fits("server_plain", await plain.next())
