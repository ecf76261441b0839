"""Every route declares who may use it and stands in its service's OpenAPI document."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from contract.conftest import Lectern

DJANGO = """
import json, os, re, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django; django.setup()
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator
def walk(patterns, before=""):
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"): yield from walk(pattern.url_patterns, here)
        else: yield "/" + here
document = SchemaGenerator().get_schema(request=None, public=True)
print("\\n" + json.dumps({"routes": list(walk(get_resolver().url_patterns)), "document": document}, default=str))
"""
FASTAPI = """
import json
from stream_gateway.app import create_app
app = create_app()
routes = [path for route in app.routes for path in [getattr(route, "path", None)] if path]
document = app.openapi()
print("\\n" + json.dumps({"routes": routes or list(document["paths"]), "document": document}))
"""
SERVICES = {"core": DJANGO, "chat": DJANGO, "stream": FASTAPI}
# What nginx does not route, the admin site (Django's own permissions), the pages for people and the documents' own.
NOT_API = re.compile(
    r"/(admin/|account/|certificates/|healthz|readyz|metrics|api/schema/|\^|.*openapi\.json|.*asyncapi\.json|$)"
)


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest, lectern: Lectern) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(lectern.run(request.param, "-c", SERVICES[request.param]).splitlines()[-1])
    return loaded


def anonymous(path: str) -> str:
    """The path with its parameters' names taken away: `/a/<uuid:id>/` and `/a/{ticket}/` are both `/a/{}/`."""
    return re.sub(r"<[^>]+>|\{[^}]+\}", "{}", path)


def test_every_route_stands_in_the_document(service: dict[str, Any]) -> None:
    documented = {anonymous(path) for path in service["document"]["paths"]}
    routed = {anonymous(path) for path in service["routes"] if not NOT_API.match(path)}
    assert routed, "no routes were found"
    assert routed - documented == set()


def test_every_operation_declares_who_may_use_it(service: dict[str, Any]) -> None:
    operations = {
        f"{method} {path}": operation
        for path, item in service["document"]["paths"].items()
        for method, operation in item.items()
        if method in {"get", "put", "post", "patch", "delete", "head"}
    }
    undeclared = [name for name, operation in operations.items() if operation.get("x-permission", "nobody") == "nobody"]
    assert operations
    assert undeclared == []


def test_every_protected_operation_documents_its_refusal(service: dict[str, Any]) -> None:
    silent = [
        f"{method} {path}"
        for path, item in service["document"]["paths"].items()
        for method, operation in item.items()
        if not NOT_API.match(path)
        and operation.get("x-permission", "public") != "public"
        and "401" not in operation["responses"]
    ]
    assert silent == []
