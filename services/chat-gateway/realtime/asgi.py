"""The ASGI application: REST below /chat/v1/ (Django), WebSockets below /ws/ (Channels), and the process's lifespan."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  after Django is set up
from django.urls import path, re_path  # noqa: E402  after Django is set up

from realtime.bodies import Handler  # noqa: E402  after Django is set up
from realtime.desk_socket import DeskSocket  # noqa: E402  after Django is set up
from realtime.http import Operations, Receive, RequestLog, Send  # noqa: E402  after Django is set up
from realtime.runtime import running  # noqa: E402  after Django is set up
from realtime.sockets import NoSuchSocket  # noqa: E402  after Django is set up
from realtime.ticket_socket import TicketSocket  # noqa: E402  after Django is set up


async def lifespan(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    await receive()
    async with running() as runtime:
        scope["state"]["runtime"] = runtime
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


django_application: Any = Handler()  # its types are narrower than ASGI's

application = ProtocolTypeRouter(
    {
        "http": Operations(RequestLog(django_application)),
        "websocket": RequestLog(
            URLRouter(
                [
                    path("ws/chat/<str:ticket>/", TicketSocket.as_asgi()),
                    path("ws/desk/", DeskSocket.as_asgi()),
                    re_path("", NoSuchSocket.as_asgi()),
                ]
            )
        ),
        "lifespan": lifespan,
    }
)
