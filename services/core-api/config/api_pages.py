"""The OpenAPI document, and two pages that show it together with the gateways' documents. All from our own host."""

from __future__ import annotations

import json
from functools import cache
from threading import Lock
from typing import Any

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator

from config.permissions import declares

DOCUMENTS = {
    "core": ("core-api", "/api/schema/"),
    "stream": ("stream-gateway", "/stream/v1/openapi.json"),
    "chat": ("chat-gateway", "/chat/v1/openapi.json"),
}
# Both pages set inline styles, and ReDoc searches in a worker that it makes from a blob. Nothing else is let in.
relaxed = csp_update({"style-src": ["'unsafe-inline'"], "worker-src": ["blob:"]})


@declares("public")
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_document(), content_type="application/vnd.oai.openapi+json")


@declares("public")
@relaxed
def swagger_ui(request: HttpRequest) -> HttpResponse:
    urls = [{"name": name, "url": url} for name, url in DOCUMENTS.values()]
    return render(request, "openapi/swagger_ui.html", {"urls": json.dumps(urls)})


@declares("public")
@relaxed
def redoc(request: HttpRequest) -> HttpResponse:
    chosen = request.GET.get("service", "core")
    chosen = chosen if chosen in DOCUMENTS else "core"
    links = [(key, name, key == chosen) for key, (name, _url) in DOCUMENTS.items()]
    return render(request, "openapi/redoc.html", {"url": DOCUMENTS[chosen][1], "links": links})


def _document() -> bytes:
    # drf-spectacular loads its extensions as it goes: two threads at once raise AttributeError within it. And `cache` by
    # itself lets everybody generate who asks before the first has ended.
    with _generating:
        return _generate() if settings.DEBUG else _generated_once()


def _generate() -> bytes:
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # partly untyped
    return json.dumps(document).encode()


_generated_once = cache(_generate)
_generating = Lock()
