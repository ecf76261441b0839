"""Who gets through where: every route, method and socket for every role, against tests/access/routes.csv."""

from __future__ import annotations

import uuid

import pytest
from access import table

from tests.sockets import opened
from tests.test_documents import routes
from tickets.permissions import needed

LINES = table.lines("chat")
REST = [line for line in LINES if line.method != "SOCKET"]
SOCKETS = [line for line in LINES if line.method == "SOCKET"]
# The socket's own way to say 401 and "not there".
NOT_AUTHENTICATED, FORBIDDEN = 4401, 4403
BODIES: dict[str, dict[str, object]] = {
    "/chat/v1/tickets/{ticket}/messages/": {"message": "Hello"},
    "/chat/v1/tickets/{ticket}/notes/": {"note": "Hello"},
    "/chat/v1/tickets/{ticket}/rate/": {"score": 5},
    "/chat/v1/tickets/{ticket}/read/": {"seq": 0},
    "/chat/v1/tickets/{ticket}/priority/": {"priority": "high"},
    "/chat/v1/tickets/{ticket}/tags/": {"tags": ["refund"]},
    "/chat/v1/tickets/{ticket}/transfer/": {"category": "nowhere"},
    "/chat/v1/tickets/{ticket}/proposals/": {"kind": "refund", "order_line": str(uuid.uuid4()), "reason": "Asked for"},
}


def test_the_table_names_every_route_with_its_permission():
    declared = {
        (method.upper(), table.plain(f"/{path}")): needed(view) or "nobody"
        for path, view in routes()
        for method in view.http_method_names
        if hasattr(view, method) and method not in ("head", "options")
    }
    declared |= {("SOCKET", table.plain(f"/{path}")): permission for path, permission in socket_routes()}
    assert table.differences("chat", declared) == []


def socket_routes():
    """The addresses that asgi.py routes to sockets, and what each needs; but for the last, which refuses all others."""
    from channels.routing import URLRouter

    from realtime.asgi import application

    inner = application.application_mapping["websocket"].app
    assert isinstance(inner, URLRouter)
    return [(str(r.pattern), r.callback.consumer_class.permission) for r in inner.routes if str(r.pattern)]


def someone(world, role):
    """Somebody with that role; None: nobody."""
    if role == "anonymous":
        return None
    user = world.user(role.replace("_", "-"), *([] if role == "deactivated" else table.permissions_of(role)))
    if role == "deactivated":
        world.deactivate(user)
    return user


@pytest.mark.parametrize("role", [*table.NOBODY_KNOWN, *table.ROLES])
def test_each_role_gets_through_where_the_table_says(call, world, role):
    user = someone(world, role)
    for line in REST:
        status = ask(call, user, line, str(uuid.uuid4())).status_code
        assert line.accepts(role, status), f"{line.method} {line.route} answers {status}; the table: {line.through}"


@pytest.mark.parametrize("line", [line for line in REST if line.object], ids=lambda line: f"{line.method} {line.route}")
def test_another_persons_ticket_is_not_there(call, upload, world, alice, bob, category, ticket, line):
    hers = upload(alice, ticket)["id"] if line.object == "attachment" else ticket["id"]
    for role in line.strangers:
        user = someone(world, role)  # an agent of no category is a stranger to every ticket but their own
        foreign, none = ask(call, user, line, hers), ask(call, user, line, str(uuid.uuid4()))
        assert (foreign.status_code, foreign.content) == (404, none.content), f"{role} can tell it from none"
    lead = world.agent("erin", category[0], lead=True)
    owner = {"support.answer": bob, "support.lead": lead}.get(line.permission, alice)
    assert ask(call, owner, line, hers).status_code not in (401, 403, 404)


@pytest.mark.parametrize("line", [line for line in SOCKETS if line.object], ids=lambda line: line.route)
async def test_sockets_let_nobody_in_but_the_tickets_own(server, world, alice, ticket, line):
    unknown = str(uuid.uuid4())
    for role in table.NOBODY_KNOWN:
        assert await closed(server, line, ticket["id"], someone(world, role)) == NOT_AUTHENTICATED, role
    for role in line.strangers:
        user = someone(world, role)
        assert await closed(server, line, ticket["id"], user) == FORBIDDEN, role
        assert await closed(server, line, unknown, user) == FORBIDDEN, role
    hers = await opened(address(server, line, ticket["id"], alice), "chat.v1")
    await hers.send(type="hello", since=0)
    assert (await hers.next())["type"] == "welcome"


@pytest.mark.parametrize("line", [line for line in SOCKETS if not line.object], ids=lambda line: line.route)
async def test_sockets_let_in_the_roles_that_the_table_names(server, world, line):
    for role in (*table.NOBODY_KNOWN, *table.ROLES):
        client = await opened(address(server, line, "", someone(world, role)), "chat.v1")
        if line.lets_through(role):
            await client.send(type="hello")
            assert (await client.next())["type"] == "welcome", role
        elif role == "anonymous":
            await client.send(type="hello")  # where a token is waited for
            assert await client.closed() == NOT_AUTHENTICATED
        else:
            assert await client.closed() == (NOT_AUTHENTICATED if role in table.NOBODY_KNOWN else FORBIDDEN), role


async def closed(server, line, ticket, user):
    """The code with which the server closes a socket to that ticket."""
    return await (await opened(address(server, line, ticket, user))).closed()


def address(server, line, ticket, user):
    base = server.url.replace("http", "ws", 1) + table.filled(line.route, {"ticket": ticket})
    return f"{base}?token={user.token()}" if user else base


def ask(call, user, line, identity):
    body = {"ticket": identity} if line.route.endswith("/connect-tickets/") else BODIES.get(line.route)
    return call(user, line.method, table.filled(line.route, {line.object or "ticket": identity}), body or {})
