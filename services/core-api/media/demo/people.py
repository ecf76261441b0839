"""The demo's people. Their passwords are made here and told once: in the accounts file, which is their only memory."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction

from accounts.actions import log_out_everywhere
from accounts.models import User
from accounts.roles import ADMIN
from support.models import Agent, Category, Skill
from wallet.actions import do_adjust
from wallet.locking import money_transaction
from wallet.models import Posting

CREDIT = 250
DESK = ("support_agent", "support_lead")
Accounts = dict[str, dict[str, str]]


@dataclass(frozen=True)
class DemoPerson:
    key: str
    name: str
    role: str = ""
    credit: int = 0

    @property
    def username(self) -> str:
        """Not a name that an operator may have taken for somebody real."""
        return f"demo-{self.key}"


PEOPLE = [
    DemoPerson("learner", "Lena Learner", credit=CREDIT),
    DemoPerson("newcomer", "Noah Newcomer"),
    DemoPerson("agent", "Arne Agent", role="support_agent"),
    DemoPerson("lead", "Lea Lead", role="support_lead"),
    DemoPerson("instructor", "Ines Instructor", role="instructor"),
    DemoPerson("admin", "Ada Admin", role=ADMIN),
]


def load_people(known: Accounts) -> tuple[Accounts, list[str]]:
    """Makes those who are missing. Answers the accounts, and the keys of those who got a new password.

    Whoever has the password that `known` says keeps it; for anybody else there is no telling what it was.
    """
    accounts: Accounts = {}
    renewed = []
    for person in PEOPLE:
        password = known.get(person.key, {}).get("password") or secrets.token_urlsafe(15)
        user = User.objects.named(person.username).first()
        if user is None:
            user = _add(person, password)
        elif not user.check_password(password):
            _set_password(user, password)
            renewed.append(person.key)
        if person.credit:
            _give_credit(user, person.credit)
        accounts[person.key] = {"username": user.username, "email": user.email, "password": password}
    return accounts, renewed


@transaction.atomic
def _add(person: DemoPerson, password: str) -> User:
    is_admin, is_of_the_desk = person.role == ADMIN, person.role in DESK
    user = User.objects.create_user(
        person.username,
        f"{person.username}@example.org",
        password,
        name=person.name,
        is_staff=is_admin or is_of_the_desk,
        is_superuser=is_admin,
    )
    if person.role:
        user.groups.add(Group.objects.get(name=person.role))
    if is_of_the_desk:
        agent = Agent.objects.create(user=user, capacity=10)
        Skill.objects.bulk_create(Skill(agent=agent, category=category) for category in Category.objects.all())
    return user


@transaction.atomic
def _set_password(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])
    log_out_everywhere(user, "password_changed")


def _give_credit(user: User, credit: int) -> None:
    """Once: what was spent stays spent."""
    if not Posting.objects.filter(wallet__user=user).exists():
        with money_transaction():
            do_adjust(user, credit, None, "Credit for trying things out")


def read_accounts(file: Path) -> Accounts:
    """What an earlier run wrote; nothing if it wrote nothing that can be read."""
    try:
        accounts = json.loads(file.read_text(encoding="utf-8"))["accounts"]
        return {key: dict(account) for key, account in accounts.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def document(accounts: Accounts) -> dict[str, Any]:
    return {"base_url": settings.PUBLIC_URL, "accounts": accounts}


def write_accounts(file: Path, accounts: Accounts) -> None:
    """Whole or not at all, and never readable by anybody else."""
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(document(accounts), out, indent=1)
            out.write("\n")
            out.flush()
            os.fsync(out.fileno())
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)
