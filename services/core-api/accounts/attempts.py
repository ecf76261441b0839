"""How often one may guess: counters for an account and for an address, in the database (ADR 0007).

An attempt is counted, and the count committed, **before** anything is checked: parallel guesses cannot exceed the
allowance, and a crash in between still counts. A database that is away refuses (503, by config/problems.py).

The rule, for each counter: its `level` is the number of attempts let through, less one for each `forgets_one_s` seconds
that have passed since. With n = ceil(level), the next one is let through

    n < free:   at once
    otherwise:  min(longest_s, first_s · 2^(n - free)) seconds after the one before

Until then every attempt is refused with 429 and `Retry-After`, right or wrong, unchecked, and without making the wait
longer: a stranger can make somebody wait for `longest_s`, never lock them out. Who succeeded from the same network
within the last 30 days has a counter of their own there, which strangers elsewhere do not touch.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import AttemptCounter, KnownNetwork, User
from accounts.names import normalise_username
from audit.actions import record
from audit.kinds import Kind
from config.problems import TooManyRequests

KNOWN = timedelta(days=30)
HOUR, MINUTE = 3600.0, 60.0  # seconds


class Purpose(StrEnum):
    LOGIN = "login"  # account: the name typed
    REAUTHENTICATION = "reauthentication"  # the current password, typed by somebody logged in; account: their id
    REGISTRATION = "registration"
    RESET = "reset"  # a mail with a reset link; account: the address typed
    VERIFICATION = "verification"  # a mail with a verification link; account: the person's id
    EXPORT = "export"  # of what is held about a person; account: their id


GUESSED = {Purpose.LOGIN, Purpose.REAUTHENTICATION}  # their refusals are security events


@dataclass(frozen=True)
class Rule:
    free: int
    first_s: float
    longest_s: float
    forgets_one_s: float

    def level(self, level: float, last_at: float, now: float) -> float:
        """What is left at `now` of a level that was reached at `last_at`."""
        return max(0.0, level - max(0.0, now - last_at) / self.forgets_one_s)

    def wait(self, level: float, last_at: float, now: float) -> float:
        """Seconds until the next attempt is let through; 0: now."""
        surplus = math.ceil(self.level(level, last_at, now)) - self.free
        if surplus < 0:
            return 0.0
        return max(0.0, last_at + min(self.longest_s, self.first_s * 2.0**surplus) - now)

    @property
    def ceiling(self) -> int:
        """The level at which the delay is at its longest: more is not remembered."""
        return self.free + math.ceil(math.log2(self.longest_s / self.first_s))


def _per_hour(count: int) -> Rule:
    """`count` at once, then that many an hour, evenly."""
    return Rule(count, HOUR / count, HOUR, HOUR / count)


_GUESSES = Rule(free=5, first_s=1, longest_s=15 * MINUTE, forgets_one_s=HOUR)
_MAILS = Rule(free=3, first_s=MINUTE, longest_s=HOUR, forgets_one_s=HOUR)
PER_ACCOUNT = {
    Purpose.LOGIN: _GUESSES,
    Purpose.REAUTHENTICATION: _GUESSES,
    Purpose.RESET: _MAILS,
    Purpose.VERIFICATION: _MAILS,
    Purpose.EXPORT: _per_hour(5),
}


def rule_for_address(purpose: Purpose) -> Rule:
    """More than for an account: a school or a company is one address."""
    match purpose:
        case Purpose.REGISTRATION:
            return _per_hour(settings.REGISTRATIONS_PER_HOUR)
        case Purpose.RESET | Purpose.VERIFICATION | Purpose.EXPORT:
            return _per_hour(60)
        case _:
            return Rule(settings.LOGIN_FAILURES_PER_ADDRESS, first_s=1, longest_s=MINUTE, forgets_one_s=MINUTE)


@dataclass(frozen=True)
class Attempt:
    """One that was let through. Say how it ended with `succeeded` or `give_back`; without either it stays a failure."""

    address: bytes
    account: bytes | None
    network: bytes | None

    def succeeded(self) -> None:
        """Nothing more to guess: forgets the account's failures, takes back this attempt (no other) of the address's."""
        with transaction.atomic():
            _take_back(self.address)
            if self.account is not None:
                AttemptCounter.objects.filter(pk=self.account).delete()
            if self.network is not None:
                known = KnownNetwork(key=self.network, forgotten_at=timezone.now() + KNOWN)
                KnownNetwork.objects.bulk_create(
                    [known], update_conflicts=True, unique_fields=["key"], update_fields=["forgotten_at"]
                )

    def give_back(self) -> None:
        """It was no guess (a right password that lacks its code): takes back this attempt, and no other."""
        with transaction.atomic():
            _take_back(self.address)
            if self.account is not None:
                _take_back(self.account)


def check_and_count(purpose: Purpose, *, account: str | None = None, address: str | None) -> Attempt:
    """Counts an attempt and says whether it may go on. Raises TooManyRequests with Retry-After (whole seconds).

    `account` is what was typed, whether or not there is such an account: unknown ones behave the same. Call it outside
    any transaction, before looking at what the attempt is about: it commits one of its own.
    """
    counters = [_Counter(_hash(purpose, "address", _network(address)), rule_for_address(purpose))]
    network = None
    if account is not None:
        account = _compared(account)
        network = _hash(purpose, "network", account, _network(address))
        counters.append(_account_counter(purpose, account, network))
    wait = 0.0
    with transaction.atomic(durable=True):
        for counter in counters:  # the address's first, everywhere: locks are taken in one order
            wait, is_first_refusal = _count(counter)
            if is_first_refusal and purpose in GUESSED:
                record(Kind.LOGIN_REFUSED, actor=None, subject=_person(purpose, account), purpose=purpose.value)
            if wait:
                break
    if wait:
        raise TooManyRequests(headers={"Retry-After": str(math.ceil(wait))})
    return Attempt(counters[0].key, counters[1].key if network else None, network)


def forget(user: User) -> int:
    """Forgets the failures that make this person wait, wherever they come from. Gives the number of counters."""
    names = [(Purpose.LOGIN, user.username), (Purpose.LOGIN, user.email), (Purpose.REAUTHENTICATION, str(user.pk))]
    accounts = [_hash(purpose, "account", _compared(name)) for purpose, name in names]
    return AttemptCounter.objects.filter(account__in=accounts).delete()[0]


def purge() -> None:
    """Deletes what is forgotten. Rows that somebody is counting on right now are left to the next time."""
    now = timezone.now()
    for old in (
        AttemptCounter.objects.filter(forgotten_at__lt=now.timestamp()),
        KnownNetwork.objects.filter(forgotten_at__lt=now),
    ):
        with transaction.atomic():
            keys = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True))
            old.filter(pk__in=keys).delete()


@dataclass(frozen=True)
class _Counter:
    key: bytes
    rule: Rule
    account: bytes | None = None


def _account_counter(purpose: Purpose, account: str, network: bytes) -> _Counter:
    """The account's counter for all networks, or the one for a network where the person is known."""
    everywhere = _hash(purpose, "account", account)
    is_known = KnownNetwork.objects.filter(pk=network, forgotten_at__gt=timezone.now()).exists()
    return _Counter(network if is_known else everywhere, PER_ACCOUNT[purpose], everywhere)


def _count(counter: _Counter) -> tuple[float, bool]:
    """Counts one; gives the seconds to wait (0: let through), and whether it is the first to be refused in this wait."""
    level, refused, last_at = _take(counter)
    now = time.time()  # after the turn came
    wait = counter.rule.wait(level, last_at, now)
    if wait:
        return wait, refused == 1
    level = min(counter.rule.level(level, last_at, now) + 1, counter.rule.ceiling)
    AttemptCounter.objects.filter(pk=counter.key).update(
        level=level,
        refused=0,
        last_at=max(now, last_at),
        forgotten_at=now + max(level * counter.rule.forgets_one_s, counter.rule.longest_s),
    )
    return 0.0, False


def _take(counter: _Counter) -> tuple[float, int, float]:
    """The counter's row as it stands, made if it is not there, and this transaction's alone until the commit.

    One statement, so that two of them cannot both see the same count, on PostgreSQL as on SQLite.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_attemptcounter AS known (key, account, level, refused, last_at, forgotten_at)"
            " VALUES (%s, %s, 0, 0, %s, %s)"
            " ON CONFLICT (key) DO UPDATE SET refused = known.refused + 1 RETURNING level, refused, last_at",
            [counter.key, counter.account, time.time(), time.time()],
        )
        level, refused, last_at = cursor.fetchone()
    return level, refused, last_at


def _take_back(key: bytes) -> None:
    AttemptCounter.objects.filter(pk=key).update(level=Greatest(F("level") - 1, 0.0))


def _person(purpose: Purpose, account: str | None) -> User | None:
    if account is None:
        return None
    by_id = purpose is Purpose.REAUTHENTICATION
    return (User.objects.filter(pk=account) if by_id else User.objects.named(account)).first()


def _compared(name: str) -> str:
    """The same for all names that the database takes for one: its lower() makes an i of a Turkish İ, casefold() two letters."""
    return normalise_username(name).replace("\u0130", "i").casefold()


def _network(address: str | None) -> str:
    """What one subscriber holds: an IPv4 address, or the /64 of an IPv6 one."""
    if not address:
        return ""  # a Unix socket: all of them are one
    ip = ip_address(address.partition("%")[0])
    if ip.version == 4:
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))


def _hash(*parts: str) -> bytes:
    return salted_hmac("accounts.attempts", "\0".join(parts), algorithm="sha256").digest()
