"""Who is let in, and how refusals look."""

from __future__ import annotations

import time
import uuid

import jwt
import pytest

from tests.world import KEYS

NOT_AUTHENTICATED = {
    "type": "urn:lectern:problem:not_authenticated",
    "title": "Not authenticated",
    "status": 401,
    "code": "not_authenticated",
    "detail": 'Send an access token in the header "Authorization: Bearer …".',
}
TOKEN_INVALID = {
    "type": "urn:lectern:problem:token_invalid",
    "title": "Token not accepted",
    "status": 401,
    "code": "token_invalid",
    "detail": "The access token is malformed, expired or revoked. Refresh it or log in again.",
}


def test_no_token_is_401_everywhere(call, ticket):
    for method, path in [
        ("GET", "/tickets/"),
        ("POST", f"/tickets/{ticket['id']}/claim/"),
        ("GET", "/agents/"),
        ("PUT", "/agents/me/"),
    ]:
        answer = call(None, method, path)
        assert (answer.status_code, answer.json()) == (401, NOT_AUTHENTICATED)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "changed",
    [{"exp": 1}, {"aud": "others"}, {"iss": "others"}, {"typ": "refresh"}, {"sub": "me"}, {"gen": "0"}, {"sid": None}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_token_with_a_wrong_claim_is_401(call, alice, changed):
    answer = call(alice.token(**changed), "GET", "/tickets/")
    assert (answer.status_code, answer.json()) == (401, TOKEN_INVALID)


def test_a_token_signed_by_nobody_we_know_is_401(call, alice):
    claims = jwt.decode(alice.token(), options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, "none", {"kid": "test"})
    by_secret = jwt.encode(claims, "secret" * 8, "HS256", {"kid": "test"})
    unknown_key = jwt.encode(claims, KEYS.private, "RS256", {"kid": "other"})
    for token in [unsigned, by_secret, unknown_key, "nonsense", "a.b.c"]:
        answer = call(token, "GET", "/tickets/")
        assert (answer.status_code, answer.json()) == (401, TOKEN_INVALID)


def test_a_revoked_token_is_401_at_once(call, world, alice, mallory):
    assert call(alice, "GET", "/tickets/").status_code == 200
    world.log_out_everywhere(alice)
    assert call(alice, "GET", "/tickets/").json() == TOKEN_INVALID
    alice.generation += 1
    assert call(alice, "GET", "/tickets/").status_code == 200
    world.end_session(alice)
    assert call(alice, "GET", "/tickets/").json() == TOKEN_INVALID
    world.deactivate(mallory)
    assert call(mallory, "GET", "/tickets/").json() == TOKEN_INVALID


def test_nobody_whom_core_does_not_know(call, world):
    stranger = type(world.user("x"))(uuid.uuid4(), "stranger")
    assert call(stranger, "GET", "/tickets/").json() == TOKEN_INVALID


def test_learners_may_not_do_what_agents_do(call, alice, ticket, bob):
    for method, path, body in [
        ("POST", f"/tickets/{ticket['id']}/claim/", None),
        ("POST", f"/tickets/{ticket['id']}/transfer/", {"agent": str(bob.id)}),
        ("GET", "/agents/me/", None),
        ("PUT", "/agents/me/", {"status": "online"}),
        ("GET", "/agents/", None),
    ]:
        answer = call(alice, method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert call(bob, "GET", "/agents/").status_code == 403  # a lead's


def test_refusals_are_problems_whatever_was_wrong(call, alice, bob):
    for answer, status, code in [
        (call(alice, "DELETE", "/tickets/"), 405, "method_not_allowed"),
        (call(alice, "POST", "/tickets/", b"{"), 400, "malformed"),
        (call(alice, "POST", "/tickets/", b"[" * 20_000), 400, "malformed"),
        (call(alice, "GET", "/nothing/"), 404, "not_found"),
        (call(alice, "GET", "/tickets/42/"), 404, "not_found"),
        (call(alice, "POST", "/tickets/", b"[]"), 422, "invalid"),
        (call(bob, "PUT", "/agents/me/", {"status": "\ud83d"}), 422, "invalid"),
    ]:
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["type"] == f"urn:lectern:problem:{code}"


def test_without_the_published_views_it_is_503(call, alice, world):
    world.connection.execute("ALTER VIEW published.principal RENAME TO elsewhere")
    try:
        answer = call(alice, "GET", "/tickets/")
    finally:
        world.connection.execute("ALTER VIEW published.elsewhere RENAME TO principal")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_an_access_token_just_before_its_end_is_good(call, alice):
    assert call(alice.token(exp=int(time.time()) + 5), "GET", "/tickets/").status_code == 200
