"""A durable PostgreSQL with ledgers of any length, made set by set: valid chains, half of the postings purchases with their orders.

Person number n is `person_id(n)`, with the login session `session_id(n)`; course number n has the slug `course-n`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from deploy.embedded.databases import ROLES, database_url, make_database
from deploy.embedded.postgres import Postgres

SERVICE = Path(__file__).resolve().parents[2] / "services" / "core-api"
PASSWORDS = dict.fromkeys(ROLES, "made-up-for-benches")
BASE = "bench_base"  # migrated, with courses, without people
EACH = 20  # postings in a wallet's past: credit given and a course bought, in turns
COURSES, FIRST_COURSE, FIRST_NEW_COURSE = 1000, 1000, 1100  # those from the last one on nobody has yet
FIRST = 100_000_000_000  # of the numbers that ids end with, so that each has twelve digits
GIVEN, PRICE = 10_000, 40
AT_ONCE = 5_000  # wallets filled by one statement
TABLES = ("wallet_posting", "wallet_order", "wallet_orderline", "learning_enrolment")


def person_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{FIRST + number}"


def session_id(number: int) -> str:
    return f"5e551000-0000-4000-8000-{FIRST + number}"


def processor_seconds(pid: int) -> float:
    """What a process and its children, also those that ended, have used of the processors."""
    parent = psutil.Process(pid)
    while True:
        children = parent.children()
        with suppress(psutil.NoSuchProcess):
            seconds = sum(parent.cpu_times()[:4])  # user and system, its own and that of children that ended
            seconds += sum(sum(child.cpu_times()[:2]) for child in children)
            if parent.children() == children:  # else one ended in between, and counts twice or not at all
                return seconds


@dataclass
class Server:
    postgres: Postgres

    def superuser(self, database: str = "postgres") -> psycopg.Connection[Any]:
        options = "-c search_path=core -c synchronous_commit=off"
        many = psycopg.ClientCursor  # several statements at once
        return psycopg.connect(self.postgres.url(database), autocommit=True, options=options, cursor_factory=many)

    def core_url(self, database: str) -> str:
        return database_url(self.postgres.url(), database, "core", PASSWORDS["core"])

    def environment(self, database: str) -> dict[str, str]:
        """What core-api runs with, on one of the databases."""
        ours = ("LECTERN_", "DJANGO_", "DATABASE_", "MIGRATION_", "REDIS_", "EMAIL_")
        folder = str(self.postgres.home.parent)
        return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DJANGO_SECRET_KEY": "a made-up secret that only the benches have " * 2,
            "DJANGO_DEBUG": "0",
            "LECTERN_SIGNING_KEY_SECRET": "another made-up secret that only the benches have",
            "LECTERN_PUBLIC_URL": "http://127.0.0.1",
            **dict.fromkeys(("LECTERN_MEDIA_ROOT", "LECTERN_UPLOADS_ROOT", "LECTERN_BOOKS_ROOT"), folder),
            "DATABASE_URL": self.core_url(database),
            "MIGRATION_DATABASE_URL": database_url(
                self.postgres.url(), database, "core_owner", PASSWORDS["core_owner"]
            ),
        }

    def processor_seconds(self) -> float:
        """What PostgreSQL, with all processes that it has and had, has used of the processors so far."""
        assert self.postgres.process is not None
        return processor_seconds(self.postgres.process.pid)

    def copy(self, source: str, name: str) -> str:
        with self.superuser() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        return name

    def manage(self, database: str, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=SERVICE, env=self.environment(database), check=True)

    @contextmanager
    def without_indexes(self, connection: psycopg.Connection[Any], tables: Sequence[str]) -> Iterator[None]:
        """Drops what is no primary key, and makes it again: one sort is quicker than a million look-ups."""
        named = {"tables": list(tables)}
        unique, indexes = connection.execute(_UNIQUE, named).fetchall(), connection.execute(_INDEXES, named).fetchall()
        for table, name, _ in unique:
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        yield
        for table, name, definition in unique:
            connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        for _, definition in indexes:
            connection.execute(definition)


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """A PostgreSQL as an installation has it: what is committed is on the disk. Has the database BASE; Django is set up on it."""
    folder.chmod(0o711)  # root's PostgreSQL runs as another account, which must be able to enter
    postgres = Postgres(folder / "postgres")
    postgres.start()
    try:
        made = Server(postgres)
        make_database(postgres.url(), str(postgres.bin / "psql"), BASE, PASSWORDS)
        made.manage(BASE, "migrate", "--verbosity", "0")
        _set_up_django(made)
        yield made
    finally:
        postgres.stop()


def _set_up_django(made: Server) -> None:
    os.environ.update(made.environment(BASE))
    sys.path.append(str(SERVICE))
    import django

    django.setup()
    from django.db import connection

    from accounts import keys
    from courses.models import Course

    keys.signing_key()
    numbers = range(FIRST_COURSE, FIRST_COURSE + COURSES)
    Course.objects.bulk_create(
        Course(slug=f"course-{n}", title=f"Course {n}", price=PRICE, status=Course.Status.PUBLISHED) for n in numbers
    )
    connection.close()


def fill(made: Server, name: str, postings: int) -> float:
    """Makes database `name` with so many postings, EACH to a wallet; gives the seconds it took."""
    began = time.monotonic()
    made.copy(BASE, name)
    with made.superuser(name) as connection:
        connection.execute("SET session_replication_role = replica; SET work_mem = '256MB'; SET jit = off")
        connection.execute("SET maintenance_work_mem = '512MB'")
        people = postings // EACH
        _make_people(connection, people)
        with made.without_indexes(connection, TABLES):
            for first in range(0, people, AT_ONCE):
                connection.execute(_FILL, {"first": first, "last": first + AT_ONCE - 1} | _accounts())
        connection.execute("VACUUM (FREEZE, ANALYZE)")
        connection.execute("CHECKPOINT")
    return time.monotonic() - began


def _make_people(connection: psycopg.Connection[Any], people: int) -> None:
    from wallet.accounts import account_id

    connection.execute("CREATE TEMP TABLE person (n int PRIMARY KEY, id uuid, wallet_id uuid)")
    with connection.cursor().copy("COPY person FROM STDIN") as copy:
        for n in range(people):
            copy.write_row((n, person_id(n), account_id(f"wallet:{person_id(n)}")))
    connection.execute("ANALYZE person")
    connection.execute(_PEOPLE, {"first": FIRST})


def _accounts() -> dict[str, Any]:
    from wallet.accounts import ADJUSTMENT, REVENUE, account_id

    return {
        "adjustment": account_id(ADJUSTMENT),
        "revenue": account_id(REVENUE),
        "given": GIVEN,
        "price": PRICE,
        "each": EACH,
        "first_course": FIRST_COURSE,
    }


_UNIQUE = """
SELECT conrelid::regclass, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
 WHERE contype = 'u' AND conrelid = ANY (%(tables)s::regclass[])"""
_INDEXES = """
SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index
 WHERE indrelid = ANY (%(tables)s::regclass[])
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))"""
_PEOPLE = """
INSERT INTO accounts_user (id, password, is_superuser, username, email, name, is_active, is_staff, generation, date_joined)
SELECT id, '!', false, 'person-' || n, 'person-' || n || '@example.org', '', true, false, 0, now() FROM person;
INSERT INTO accounts_loginsession (id, user_id, user_agent, created_at, last_used_at, end_reason, second_factor)
SELECT ('5e551000-0000-4000-8000-' || %(first)s + n)::uuid, id, '', now(), now(), '', false FROM person;
INSERT INTO wallet_account (id, code, kind) SELECT wallet_id, 'wallet:' || id, 'wallet' FROM person"""
_FILL = r"""
WITH RECURSIVE chain AS (
    SELECT wallet_id, id AS user_id, 0::bigint AS wallet_seq, ''::bytea AS previous_hash, NULL::uuid AS id, '' AS kind,
           NULL::uuid AS debit_id, NULL::uuid AS credit_id, 0::bigint AS amount, 0::bigint AS balance_after,
           NULL::uuid AS order_id, NULL::uuid AS caused_by_id, now() AS created_at, '' AS note, ''::bytea AS hash
      FROM person WHERE n BETWEEN %(first)s AND %(last)s
    UNION ALL
    SELECT p.*, sha256(convert_to(concat_ws(E'\n', 'lectern-posting-1',
               wallet_id, wallet_seq, encode(previous_hash, 'hex'), id, kind, debit_id, credit_id, amount, balance_after,
               coalesce(order_id::text, ''), '', '', coalesce(caused_by_id::text, ''),
               to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), note), 'UTF8'))
      FROM (
        SELECT wallet_id, user_id, wallet_seq + 1 AS wallet_seq, hash AS previous_hash, uuidv7() AS id,
               CASE WHEN buys THEN 'purchase' ELSE 'adjustment' END AS kind,
               CASE WHEN buys THEN wallet_id ELSE %(adjustment)s END AS debit_id,
               CASE WHEN buys THEN %(revenue)s ELSE wallet_id END AS credit_id,
               CASE WHEN buys THEN %(price)s ELSE %(given)s END::bigint AS amount,
               balance_after + CASE WHEN buys THEN -%(price)s ELSE %(given)s END AS balance_after,
               CASE WHEN buys THEN uuidv7() END AS order_id, CASE WHEN buys THEN user_id END AS caused_by_id,
               now() - interval '1 day' * (%(each)s - wallet_seq) AS created_at,
               CASE WHEN buys THEN 'Course ' || %(first_course)s + wallet_seq / 2 ELSE 'Bench' END AS note
          FROM chain, LATERAL (SELECT wallet_seq %% 2 = 1 AS buys) turn WHERE wallet_seq < %(each)s
      ) p
), bought AS (
    SELECT chain.*, uuidv7() AS line_id, course.id AS course_id
      FROM chain JOIN courses_course course ON course.title = chain.note WHERE kind = 'purchase'
), orders AS (
    INSERT INTO wallet_order (id, user_id, price, created_at) SELECT order_id, user_id, amount, created_at FROM bought
), lines AS (
    INSERT INTO wallet_orderline (id, order_id, course_id, title, list_price, discount, price)
    SELECT line_id, order_id, course_id, note, amount, 0, amount FROM bought
), enrolments AS (
    INSERT INTO learning_enrolment (id, user_id, course_id, source, order_line_id, started_at, end_reason)
    SELECT uuidv7(), user_id, course_id, 'order', line_id, created_at, '' FROM bought
), wallets AS (
    INSERT INTO wallet_wallet (account_id, user_id, balance, promotional, frozen, head_seq, head_hash)
    SELECT wallet_id, user_id, balance_after, 0, false, wallet_seq, hash FROM chain WHERE wallet_seq = %(each)s
)
INSERT INTO wallet_posting (id, debit_id, credit_id, wallet_id, caused_by_id, amount, kind, wallet_seq, balance_after,
                            previous_hash, hash, order_id, note, created_at)
SELECT id, debit_id, credit_id, wallet_id, caused_by_id, amount, kind, wallet_seq, balance_after,
       previous_hash, hash, order_id, note, created_at
  FROM chain WHERE wallet_seq > 0"""


_open: dict[str, Any] = {}


def use(database: str | None) -> None:
    """Has Django's queries go to this database, by a connection that stays; None closes them all."""
    from django.db import connections

    if database is None:
        for wrapper in [connections["default"], *_open.values()]:
            wrapper.close()
        _open.clear()
        return
    if database not in _open:
        _open[database] = connections["default"].copy()
        _open[database].settings_dict["NAME"] = database
    connections["default"] = _open[database]
