"""The people, categories and orders that core-api would publish, in plain tables behind `published` views."""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric import rsa

PUBLISHED = {
    "principal": "user_id uuid PRIMARY KEY, username text, name text, is_active bool, generation int, roles text[],"
    " permissions text[], erased_at timestamptz",
    "ended_session": "session_id uuid, user_id uuid, ended_at timestamptz",
    "lesson": "lesson_id uuid, course_id uuid, course_slug text, course_title text, title text, kind text,"
    " is_preview bool, is_published bool, video_status text, package_id uuid, duration_s double precision",
    '"order"': "order_id uuid, user_id uuid, created_at timestamptz",
    "support_category": "category_id uuid, slug text, name text, position int, is_active bool, priority int",
    "support_agent": "user_id uuid, category_id uuid, weight int, capacity int",
    "canned_answer": "canned_answer_id uuid, category_id uuid, shortcut text, title text, text text",
}


# What core's own does is tested there; this one answers by the order line that it is asked about.
PROPOSE = """
CREATE TABLE core.proposal (ticket uuid, agent uuid, learner uuid, kind text, order_line uuid, days int, reason text);
CREATE FUNCTION published.propose(
    ticket uuid, agent uuid, learner uuid, kind text, order_line uuid, days integer, reason text
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF right(order_line::text, 5) IN ('00403', '00404', '00409', '00410') THEN
        RAISE EXCEPTION 'refused' USING ERRCODE = 'LC' || right(order_line::text, 3);
    END IF;
    INSERT INTO core.proposal VALUES (ticket, agent, learner, kind, order_line, days, reason);
    RETURN '00000000-0000-0000-0000-00000000ab1e';
END $$;
CREATE TABLE core.mail (id uuid PRIMARY KEY, person uuid, kind text, subject text, body text);
CREATE FUNCTION published.queue_mail(mail uuid, person uuid, kind text, subject text, body text)
    RETURNS boolean LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO core.mail VALUES ($1, $2, $3, $4, $5) RETURNING true $$;
CREATE FUNCTION published.proposals(ticket uuid)
    RETURNS TABLE (approval_id uuid, kind text, state text, order_line uuid, days integer, amount bigint, reason text,
                   proposed_by uuid, proposed_at timestamptz, decided_at timestamptz, note text)
    LANGUAGE sql SECURITY DEFINER AS $$
    SELECT '00000000-0000-0000-0000-00000000ab1e'::uuid, p.kind, 'pending', p.order_line, p.days, NULL::bigint, p.reason,
           p.agent, now(), NULL::timestamptz, ''
      FROM core.proposal p WHERE p.ticket = proposals.ticket
$$;
"""


def publish(core_owner_url: str) -> None:
    with psycopg.connect(core_owner_url, autocommit=True) as connection:
        for view, columns in PUBLISHED.items():
            connection.execute(f"CREATE TABLE core.{view} ({columns})")
            connection.execute(f"CREATE VIEW published.{view} AS TABLE core.{view}")
            connection.execute(f"GRANT SELECT ON published.{view} TO lectern_chat, lectern_stream")
        connection.execute(PROPOSE)


class Keys:
    """core-api's signing key, and the address where its public half is served."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key()))
        body = json.dumps({"keys": [public | {"kid": "test", "alg": "RS256", "use": "sig"}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/jwks.json"


KEYS = Keys()


@dataclass
class User:
    id: uuid.UUID
    username: str
    generation: int = 0
    session: uuid.UUID = field(default_factory=uuid.uuid4)

    def token(self, **changed: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": "lectern",
            "aud": "lectern",
            "sub": str(self.id),
            "username": self.username,
            "roles": [],
            "gen": self.generation,
            "sid": str(self.session),
            "typ": "access",
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + 600,
        }
        return jwt.encode(claims | changed, KEYS.private, "RS256", {"kid": "test"})


class World:
    """Everything a test makes is new and its own, so tests need not clean up."""

    def __init__(self, core_owner_url: str) -> None:
        self.connection = psycopg.connect(core_owner_url, autocommit=True)

    def category(self, name: str = "Billing", priority: int = 1) -> tuple[uuid.UUID, str]:
        """Its id and slug."""
        category, slug = uuid.uuid4(), f"{name.lower()}-{uuid.uuid4().hex[:8]}"
        self.connection.execute(
            "INSERT INTO core.support_category VALUES (%s, %s, %s, 0, true, %s)", [category, slug, name, priority]
        )
        return category, slug

    def user(self, name: str, *permissions: str) -> User:
        user = User(uuid.uuid4(), f"{name}-{uuid.uuid4().hex[:8]}")
        self.connection.execute(
            "INSERT INTO core.principal VALUES (%s, %s, %s, true, 0, '{}', %s, NULL)",
            [user.id, user.username, name.title(), list(permissions)],
        )
        return user

    def agent(self, name: str, *categories: uuid.UUID, capacity: int = 5, weight: int = 1, lead: bool = False) -> User:
        user = self.user(name, "support.answer", *(["support.lead"] if lead else []))
        for category in categories:
            self.connection.execute(
                "INSERT INTO core.support_agent VALUES (%s, %s, %s, %s)", [user.id, category, weight, capacity]
            )
        return user

    def canned_answer(self, shortcut: str, category: uuid.UUID | None = None) -> str:
        """Its shortcut, made unique."""
        shortcut = f"{shortcut}-{uuid.uuid4().hex[:8]}"
        self.connection.execute(
            "INSERT INTO core.canned_answer VALUES (gen_random_uuid(), %s, %s, 'Greeting', 'Hello!')",
            [category, shortcut],
        )
        return shortcut

    def mails(self, user: User) -> list[tuple[str, str, str]]:
        """Kind, subject and text of those that were handed over for somebody, oldest first."""
        found = self.connection.execute(
            "SELECT kind, subject, body FROM core.mail WHERE person = %s ORDER BY id", [user.id]
        )
        return found.fetchall()

    def lesson(self) -> uuid.UUID:
        lesson = uuid.uuid4()
        self.connection.execute(
            "INSERT INTO core.lesson VALUES (%s, %s, 'c', 'C', 'L', 'video', false, true, 'none', NULL, 1)",
            [lesson, uuid.uuid4()],
        )
        return lesson

    def order(self, user: User) -> uuid.UUID:
        order = uuid.uuid4()
        self.connection.execute('INSERT INTO core."order" VALUES (%s, %s, now())', [order, user.id])
        return order

    def shrink(self, user: User, statement: str) -> None:
        """Runs `statement` (its parameter: the user's id) and notifies, in one transaction, as core's triggers do. (They do
        so, too, when an agent gains something.)"""
        with self.connection.transaction():
            self.connection.execute(statement, [user.id])
            self.connection.execute("SELECT pg_notify('access_changed', %s)", [str(user.id)])

    def deactivate(self, user: User) -> None:
        self.shrink(user, "UPDATE core.principal SET is_active = false WHERE user_id = %s")

    def take_categories(self, user: User) -> None:
        self.shrink(user, "DELETE FROM core.support_agent WHERE user_id = %s")

    def give_category(self, user: User, category: uuid.UUID) -> None:
        self.shrink(user, f"INSERT INTO core.support_agent SELECT %s, '{category}', 1, 5")

    def change_capacity(self, user: User, capacity: int) -> None:
        self.shrink(user, f"UPDATE core.support_agent SET capacity = {capacity} WHERE user_id = %s")

    def take_permissions(self, user: User) -> None:
        self.shrink(user, "UPDATE core.principal SET permissions = '{}' WHERE user_id = %s")

    def end_session(self, user: User) -> None:
        session = str(user.session)
        self.shrink(user, f"INSERT INTO core.ended_session SELECT '{session}', %s, now()")

    def log_out_everywhere(self, user: User) -> None:
        self.shrink(user, "UPDATE core.principal SET generation = generation + 1 WHERE user_id = %s")

    def erase(self, user: User, *, notify: bool = True) -> str:
        """As core does; without `notify` as if the notification were lost. Gives the name that core leaves them."""
        alias = f"erased-{user.id.hex[:12]}"
        self.connection.execute("DELETE FROM core.support_agent WHERE user_id = %s", [user.id])
        self.connection.execute(
            "UPDATE core.principal SET username = %s, name = '' WHERE user_id = %s", [alias, user.id]
        )
        erased = "UPDATE core.principal SET erased_at = now(), is_active = false, permissions = '{}' WHERE user_id = %s"
        if notify:
            self.shrink(user, erased)
        else:
            self.connection.execute(erased, [user.id])
        return alias
