"""Guessing is slow: the counters (ADR 0007)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from accounts import attempts
from accounts.attempts import Purpose, Rule, check_and_count
from accounts.models import AttemptCounter, KnownNetwork, User
from audit.kinds import Kind
from audit.models import Event
from config.problems import TooManyRequests

HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`clock(60)`: a minute passes."""
    now = [1_000_000.0]
    monkeypatch.setattr("accounts.attempts.time.time", lambda: now[0])

    def pass_seconds(seconds: float) -> None:
        now[0] += seconds

    return pass_seconds


def try_login(account: str = "alice", address: str | None = HERE) -> int:
    """0 if it was let through, else the seconds to wait."""
    try:
        check_and_count(Purpose.LOGIN, account=account, address=address)
    except TooManyRequests as refusal:
        return int(refusal.headers["Retry-After"])
    return 0


def test_after_five_failures_each_wait_is_twice_the_one_before_up_to_a_quarter_of_an_hour(database, clock) -> None:
    assert [try_login() for _ in range(5)] == [0] * 5
    waits = []
    for _ in range(13):
        waits.append(try_login())
        clock(waits[-1])
        assert try_login() == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


def test_attempts_during_a_wait_do_not_make_it_longer(database, clock) -> None:
    for _ in range(6):
        try_login()
    clock(0.5)
    assert [try_login() for _ in range(20)] == [1] * 20
    clock(0.5)
    assert try_login() == 0


def test_one_failure_is_forgotten_an_hour(database, clock) -> None:
    for _ in range(5):
        try_login()
    clock(3 * 3600)
    assert [try_login() for _ in range(4)] == [0, 0, 0, 1]


def test_names_that_log_in_as_the_same_person_share_a_counter(database, clock) -> None:
    for name in ("alice", "ALICE", " al\u0130ce ", "Alice", "\uff21lice"):
        try_login(name)
    assert try_login("alice") == 1
    assert try_login("bob") == 0


def test_a_success_forgets_the_failures_of_the_account_but_not_those_of_the_address(database, clock) -> None:
    for number in range(49):
        try_login(f"somebody{number}")
    for _ in range(5):  # the attacker's own account takes back its own attempts alone
        check_and_count(Purpose.LOGIN, account="mallory", address=HERE).succeeded()
    assert [try_login("yet another"), try_login("and another")] == [0, 1]
    assert try_login("and another", ELSEWHERE) == 0


def test_a_success_gives_the_account_its_five_failures_again(database, clock) -> None:
    for _ in range(4):
        try_login()
    check_and_count(Purpose.LOGIN, account="alice", address=HERE).succeeded()
    assert [try_login() for _ in range(6)] == [0, 0, 0, 0, 0, 1]


def test_what_is_given_back_was_no_failure_and_forgets_none(database, clock) -> None:
    for _ in range(4):
        try_login()
    for _ in range(10):
        check_and_count(Purpose.LOGIN, account="alice", address=HERE).give_back()
    assert [try_login(), try_login()] == [0, 1]


def test_strangers_elsewhere_do_not_make_alice_wait_where_she_is_known(database, clock) -> None:
    check_and_count(Purpose.LOGIN, account="alice", address=HERE).succeeded()
    for _ in range(6):
        try_login("alice", ELSEWHERE)
    assert try_login("alice", ELSEWHERE) == 1
    assert [try_login("alice", HERE) for _ in range(6)] == [0, 0, 0, 0, 0, 1]  # nor may one guess more there


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_an_address_is_what_one_subscriber_holds(database, clock, settings, one: str, other: str, same: bool) -> None:
    settings.LOGIN_FAILURES_PER_ADDRESS = 1
    assert try_login("alice", one) == 0
    assert try_login("bob", other) == (1 if same else 0)


def test_those_without_an_address_are_counted_together(database, clock, settings) -> None:
    settings.LOGIN_FAILURES_PER_ADDRESS = 1
    assert [try_login("alice", None), try_login("bob", None)] == [0, 1]


def test_an_attempt_that_the_address_may_not_make_takes_nothing_from_the_account(database, clock, settings) -> None:
    settings.LOGIN_FAILURES_PER_ADDRESS = 3
    for _ in range(20):
        try_login("alice", ELSEWHERE)
    assert [try_login() for _ in range(2)] == [0, 0]


def test_registrations_of_an_address_are_so_many_an_hour(database, clock, settings) -> None:
    settings.REGISTRATIONS_PER_HOUR = 20
    for _ in range(20):
        check_and_count(Purpose.REGISTRATION, address=HERE)
    with pytest.raises(TooManyRequests) as refused:
        check_and_count(Purpose.REGISTRATION, address=HERE)
    assert refused.value.headers == {"Retry-After": "180"}
    for _ in range(3):
        clock(180)
        check_and_count(Purpose.REGISTRATION, address=HERE)
    with pytest.raises(TooManyRequests):
        check_and_count(Purpose.REGISTRATION, address=HERE)


def test_nothing_readable_is_kept(database, clock) -> None:
    check_and_count(Purpose.LOGIN, account="alice", address=HERE).succeeded()
    try_login()
    kept = [*AttemptCounter.objects.values_list("key", flat=True), *KnownNetwork.objects.values_list("key", flat=True)]
    assert len(kept) == 3
    assert {len(bytes(key)) for key in kept} == {32}


def test_one_wait_is_one_line_of_the_audit_log(alice: User, clock) -> None:
    for _ in range(20):
        try_login()
    clock(1)
    for _ in range(20):
        try_login()
    refused = Event.objects.filter(kind=Kind.LOGIN_REFUSED)
    assert [(event.subject_id, event.detail) for event in refused] == [(str(alice.pk), {"purpose": "login"})] * 2


def test_an_admin_makes_alice_wait_no_longer(alice: User, clock) -> None:
    check_and_count(Purpose.LOGIN, account="alice", address=ELSEWHERE).succeeded()
    for _ in range(6):
        try_login("alice", HERE), try_login("alice", ELSEWHERE), try_login("alice@example.org"), try_login("bob")
    assert attempts.forget(alice) == 3
    assert [try_login("alice", HERE), try_login("alice", ELSEWHERE), try_login("alice@example.org")] == [0, 0, 0]
    assert try_login("bob") == 1


def test_counters_that_mean_nothing_any_more_are_deleted_and_no_others(database, clock, monkeypatch) -> None:
    try_login("alice")
    clock(3599)
    try_login("bob", ELSEWHERE)
    clock(2)
    monkeypatch.setattr("accounts.attempts.timezone.now", lambda: datetime.fromtimestamp(1_003_601, UTC))
    attempts.purge()
    assert AttemptCounter.objects.count() == 2  # bob's, and that of his address


def test_fifty_attempts_at_once_are_fifty_counted_and_five_let_through(
    at_once, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Rule(free=5, first_s=600, longest_s=900, forgets_one_s=3600)  # so that a slow machine lets no sixth through
    monkeypatch.setitem(attempts.PER_ACCOUNT, Purpose.LOGIN, slow)
    waits = sorted(at_once(50, lambda _: try_login()))
    assert (len(waits), waits[:5]) == (50, [0] * 5)
    assert all(300 < wait <= 600 for wait in waits[5:])
    counter = AttemptCounter.objects.get(account__isnull=False)
    assert (round(counter.level), counter.refused) == (5, 45)
    assert round(AttemptCounter.objects.get(account=None).level) == 50
