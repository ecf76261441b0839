"""`kill -9` in the middle of the load: of the API, and of PostgreSQL under it. What was acknowledged is what is written."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from django.db import connections

from accounts.models import LoginSession, User
from accounts.tokens import AccessToken
from courses.models import Course
from deploy.embedded.databases import database_url, make_database
from deploy.embedded.postgres import Postgres
from learning.models import Enrolment
from payments.models import SandboxPayment, TopUp
from tests import books, environment
from tests.wallet.under_load import Load, Next, Sent, Server, running_server, wait_until
from wallet.models import IdempotencyKey, Order, Posting, Wallet

pytestmark = pytest.mark.postgres
often = pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.long)])

GIVEN, PRICE = 100_000, 3  # credits
IN_TRANSACTION = """SELECT pid FROM pg_stat_activity
                     WHERE datname = current_database() AND usename = 'lectern_core' AND xact_start IS NOT NULL"""
AWAITS_STANDBY = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


def token_of(person: User) -> str:
    return str(AccessToken.of(person, LoginSession.objects.create(user=person)))


@pytest.fixture
def buyers(alice: User, bob: User) -> list[User]:
    """Both with credit, in a shop of more courses than they will come to."""
    courses = [Course(slug=f"course-{n}", title="Knots", price=PRICE, status="published") for n in range(2000)]
    Course.objects.bulk_create(courses)
    for buyer in (alice, bob):
        books.give(buyer, GIVEN)
    return [alice, bob]


@pytest.fixture
def sources(buyers: list[User], fiona: User) -> list[Next]:
    """For each buyer three devices of theirs, and one of fiona's: 8 in all, as many as gunicorn has threads."""
    of = [[*[purchases(buyer)] * 2, topups(buyer), adjustments(buyer, fiona)] for buyer in buyers]
    return [source for group in of for source in group]


def purchases(buyer: User) -> Next:
    numbers, token = itertools.count(), token_of(buyer)
    return lambda: Sent("/api/v1/orders/", {"course": f"course-{next(numbers)}"}, token, buyer, -PRICE)


def topups(buyer: User) -> Next:
    """Begun and never paid."""
    token = token_of(buyer)
    return lambda: Sent("/api/v1/wallet/topups/", {"pack": "small", "provider": "sandbox"}, token, buyer, 0)


def adjustments(buyer: User, staff: User) -> Next:
    path, token = f"/api/v1/wallets/{buyer.pk}/adjust/", token_of(staff)
    return lambda: Sent(path, {"amount": 1, "reason": "For the test"}, token, buyer, 1)


@often
def test_whoever_repeats_what_a_killed_api_left_unanswered_is_served_once(
    committed_db: str, sources: list[Next], buyers: list[User], tmp_path: Path, times: int
) -> None:
    with running_server(environment.database_address("core", committed_db), tmp_path) as server:
        load = Load(server, sources)
        with load():
            for _ in range(times):
                load.wait_for_more(15)
                kill_between_commit_and_answer(server, load)
                unanswered = [request.key for request in load.sent if request.answer is None]
                assert IdempotencyKey.objects.filter(key__in=unanswered, status__isnull=False).exists()
                server.start()
            load.wait_for_more(15)
    assert_each_answer_is_written_once(load, buyers)


def kill_between_commit_and_answer(server: Server, load: Load) -> None:
    """Freezes the server at some moment, again and again, until one comes at which a client is not told what is written."""

    def caught() -> bool:
        server.signal(signal.SIGSTOP)
        if is_somebody_untold(load):
            server.signal(signal.SIGKILL)
            return True
        server.signal(signal.SIGCONT)
        return False

    wait_until(caught, "a commit before its answer")


def is_somebody_untold(load: Load) -> bool:
    """More is written than heard, and stays so while what the frozen server had sent already arrives."""
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        if Posting.objects.count() - len(Wallet.objects.all()) <= load.heard():  # each wallet had its credit before
            return False
    return True


@often
def test_whoever_repeats_what_a_lost_database_left_unanswered_is_served_once(
    committed_db: str,
    sources: list[Next],
    buyers: list[User],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
) -> None:
    with own_cluster(committed_db) as postgres, django_uses(postgres, monkeypatch):
        address = postgres.url(committed_db)
        core = database_url(address, committed_db, "core", environment.PASSWORDS["core"])
        with running_server(core, tmp_path) as server:
            load = Load(server, sources)
            with load():
                for _ in range(times):
                    load.wait_for_more(15)
                    end_connections(address, load)
                    load.wait_for_more(15)
                    kill_backend(address, postgres)
                load.wait_for_more(15)
        assert "unavailable" in load.setbacks()
        assert_each_answer_is_written_once(load, buyers)


@contextmanager
def own_cluster(database: str) -> Iterator[Postgres]:
    """A PostgreSQL of the test's own with a copy of `database`: a killed backend takes all others down with it.

    It is a durable one: the suite's own does not wait for its log, and forgets acknowledged commits when it is killed.
    """
    with tempfile.TemporaryDirectory(prefix="lectern-killed-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # root's PostgreSQL runs as another account, which must be able to enter
        postgres = Postgres(Path(folder) / "postgres")
        postgres.start()
        try:
            copy(database, postgres)
            yield postgres
        finally:
            postgres.stop()


def copy(database: str, postgres: Postgres) -> None:
    make_database(postgres.url(), str(postgres.bin / "psql"), "postgres", environment.PASSWORDS)  # for its roles
    with psycopg.connect(postgres.url(), autocommit=True) as superuser:
        superuser.execute(f'CREATE DATABASE "{database}"')
    dump = [postgres.bin / "pg_dump", environment.database_address(None, database)]
    restore = [postgres.bin / "psql", "-qX", "-1", "-v", "ON_ERROR_STOP=1", "-d", postgres.url(database)]
    dumped = subprocess.run(dump, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(restore, input=dumped, stdout=subprocess.DEVNULL, check=True)


@contextmanager
def django_uses(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    connections.close_all()
    with monkeypatch.context() as patch:
        patch.setitem(connections.settings["default"], "PORT", postgres.port)
        try:
            yield
        finally:
            connections.close_all()


def end_connections(address: str, load: Load) -> None:
    """As an administrator does, of those that are in the middle of something, until clients have felt it."""
    with psycopg.connect(address, autocommit=True) as superuser:

        def felt() -> bool:
            superuser.execute(f"SELECT pg_terminate_backend(pid) FROM ({IN_TRANSACTION}) AS busy")
            return load.setbacks().count("unavailable") >= before + 5

        before = load.setbacks().count("unavailable")
        wait_until(felt, "clients without their connection")


def kill_backend(address: str, postgres: Postgres) -> None:
    """SIGKILL to one that has written a commit and not said so yet; PostgreSQL then ends all of them, and recovers.

    That moment is held open by having each commit wait, once it is on disk, for a standby that does not exist.
    """
    with psycopg.connect(address, autocommit=True) as superuser:
        await_standby(superuser, "nobody")
        committed: list[int] = []

        def found() -> bool:
            committed[:] = [row[0] for row in superuser.execute(AWAITS_STANDBY)]
            return bool(committed)

        wait_until(found, "a commit that is not acknowledged")
        assert postgres.process
        assert psutil.Process(committed[0]).ppid() == postgres.process.pid
        os.kill(committed[0], signal.SIGKILL)
        wait_until(lambda: is_lost(superuser), "the end of all connections")
    postgres.wait_until_ready()
    with psycopg.connect(address, autocommit=True) as superuser:
        await_standby(superuser, "")


def await_standby(superuser: psycopg.Connection, name: str) -> None:
    superuser.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    superuser.execute("SELECT pg_reload_conf()")


def is_lost(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def assert_each_answer_is_written_once(load: Load, buyers: list[User]) -> None:
    """What the clients were told in the end, against what the database says."""
    told = {request.key: request.answer for request in load.sent}
    assert {answer[0] for answer in told.values() if answer} == {200, 201}
    stored = IdempotencyKey.objects.values_list("key", "status", "answer")
    assert {key: (status, json.loads(answer)) for key, status, answer in stored} == told
    for model, change in ((Order, -PRICE), (TopUp, 0)):
        made = [request.answer[1]["id"] for request in load.sent if request.answer and request.change == change]
        assert sorted(str(pk) for pk in model.objects.values_list("pk", flat=True)) == sorted(made)
    assert Enrolment.objects.count() == Order.objects.count()
    assert SandboxPayment.objects.count() == TopUp.objects.count()
    for buyer in buyers:
        changes = sum(request.change for request in load.sent if request.wallet_of == buyer)
        assert Wallet.objects.get(user=buyer).balance == GIVEN + changes
    books.assert_books_are_right()
