"""Money-moving requests happen once, however often they are sent (the header Idempotency-Key)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from accounts.models import User
from config.compiled import Parameter, compiled, compiled_update, insert
from config.requests import person
from wallet.errors import KeyInvalid, KeyMissing, KeyReused
from wallet.locking import money_transaction
from wallet.models import IdempotencyKey

_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class RequestKey:
    """Who sent which request: unique per person, route and key; the body's hash tells a repetition from another request."""

    user: User
    route: str
    key: str
    body_hash: bytes


class Answer(NamedTuple):
    status: int
    body: Mapping[str, Any]

    def response(self) -> Response:
        return Response(self.body, status=self.status)


def request_key(request: Request, route: str, **path: object) -> RequestKey:
    """The key of a request. `path` is what its address names (an order, a person). Raises KeyMissing, KeyInvalid."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        raise KeyMissing
    if not _VISIBLE.fullmatch(key):
        raise KeyInvalid
    return RequestKey(person(request), route, key, _canonical_hash({"path": path, "body": request.data}))


def form_key(user: User, route: str, key: str, **body: object) -> RequestKey:
    """The key of a page with a form, which has a number of its own instead of a header."""
    return RequestKey(user, route, key, _canonical_hash(body))


def _canonical_hash(value: object) -> bytes:
    """The same for bodies that differ only in the order of names or in white space."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), cls=JSONEncoder)
    return hashlib.sha256(text.encode()).digest()


def once(key: RequestKey, act: Callable[[], Answer]) -> Answer:
    """The first answer of this request; `act` gives it, in the same transaction that uses up the key.

    A refusal or a fault in `act` leaves the key unused. Raises KeyReused; Busy while a twin runs for too long.
    """
    with money_transaction():
        row = do_claim(key)
        if answer := first_answer(row):
            return answer
        answer = act()
        do_answer(row, answer)
        return answer


def do_claim(key: RequestKey) -> IdempotencyKey:
    """The key's row: a new one, or that of the first request. Waits for a twin's transaction. Raises KeyReused."""
    fresh = IdempotencyKey(user=key.user, route=key.route, key=key.key, body_hash=key.body_hash)
    if insert(fresh, ignore_conflicts=True):
        return fresh
    [row] = _row(user=key.user.pk, route=key.route, key=key.key)
    if bytes(row.body_hash) != key.body_hash:
        raise KeyReused
    return row


def do_answer(row: IdempotencyKey, answer: Answer) -> None:
    row.status, row.answer = answer.status, json.dumps(answer.body, cls=JSONEncoder)
    _write_answer(id=row.pk, status=row.status, answer=row.answer)


@compiled
def _row() -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(user=Parameter("user"), route=Parameter("route"), key=Parameter("key"))


@compiled_update
def _write_answer() -> tuple[QuerySet[IdempotencyKey], dict[str, Parameter]]:
    changes = {"status": Parameter("status"), "answer": Parameter("answer")}
    return IdempotencyKey.objects.filter(pk=Parameter("id")), changes


def first_answer(row: IdempotencyKey) -> Answer | None:
    """What the first request was answered; None while there is no answer yet."""
    return None if row.status is None or row.answer is None else Answer(row.status, json.loads(row.answer))
