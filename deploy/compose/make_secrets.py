#!/usr/bin/env python3
"""Makes Lectern's secrets on the first `docker compose up`, and hands each part its own.

The safe (a volume that nothing else mounts) holds all of them in one file, written in one step. Each consumer has a
volume with the few files it needs, owned by its user alone; they are written anew from the safe at every start. Runs as
root with CAP_CHOWN as its only capability, and without a network.

    make_secrets.py                    make what is missing, hand out
    make_secrets.py rotate database    new passwords of the six database roles and of Redis, hand out
    make_secrets.py rotate sessions    new DJANGO_SECRET_KEYs: everybody leaves the admin site, open reset links end
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROLES = ("core_owner", "core", "stream_owner", "stream", "chat_owner", "chat")
DATABASE_HOST, DATABASE_NAME, REDIS_HOST = "postgres:5432", "lectern", "redis:6379"

ROTATABLE = {
    "database": (*(f"{role}_password" for role in ROLES), "redis_password"),
    "sessions": ("core_django_secret_key", "chat_django_secret_key"),
}
NAMES = (*ROTATABLE["database"], *ROTATABLE["sessions"], "superuser_password", "signing_key_secret", "sandbox_secret")

POSTGRES_USER, REDIS_USER, CORE_USER, STREAM_USER, CHAT_USER = 999, 999, 10001, 10002, 10003
SHARED_GROUP = 10000  # core, stream and chat run with it, nginx has it besides its own: who may read the media


class OldDatabaseError(Exception):
    """The database has data but the secrets that belong to it are gone."""


def load(safe: Path) -> dict[str, str]:
    """The secrets made so far; none if this is the first start."""
    return json.loads(safe.read_text()) if safe.exists() else {}


def save(safe: Path, known: Mapping[str, str]) -> None:
    """Replaces the safe's file in one step: after a crash it is the old one or the new one, whole."""
    write_file(safe, json.dumps(known, indent=2, sort_keys=True) + "\n", 0)


def write_file(path: Path, text: str, owner: int) -> None:
    """Writes `text` for `owner`'s eyes only. Mode before owner: root without CAP_FOWNER can't do it afterwards."""
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if owner != os.geteuid():
        os.chown(aside, owner, -1)
    aside.replace(path)


def complete(known: Mapping[str, str], database_exists: bool) -> dict[str, str]:
    """`known` with what is missing made up; beside an existing database nothing may be missing.

    Its roles have other passwords, and its signing keys are encrypted with another secret. (A release that adds a secret
    says here that this one may be made later.)
    """
    missing = [name for name in NAMES if not known.get(name)]
    if database_exists and missing:
        raise OldDatabaseError(
            "there is a database in the volume `postgres`, but secrets made with it are gone from the volume "
            f"`secrets-safe`: {', '.join(missing) if known else 'all of them'}.\n"
            "Nothing was changed. Restore that volume from your backup, or delete everything and begin anew "
            'with `docker compose down --volumes`: deploy/runbook.md, "Backup and restore".'
        )
    return {**known, **{name: secrets.token_urlsafe(32) for name in missing}}


def rotate(known: Mapping[str, str], what: str) -> dict[str, str]:
    """`known` with new values for one of ROTATABLE's groups."""
    return {**known, **{name: secrets.token_urlsafe(32) for name in ROTATABLE[what]}}


def handouts(known: Mapping[str, str]) -> dict[str, tuple[int, dict[str, str]]]:
    """For each consumer: the user who may read, and its files."""
    urls = {
        role: f"postgres://lectern_{role}:{known[role + '_password']}@{DATABASE_HOST}/{DATABASE_NAME}" for role in ROLES
    }
    redis = known["redis_password"]
    redis_url = f"redis://:{redis}@{REDIS_HOST}/0"
    # core's settings ask for these everywhere; what signs nothing gets some that open nothing.
    idle = {"django_secret_key": secrets.token_urlsafe(32), "signing_key_secret": secrets.token_urlsafe(32)}
    core = {
        "database_url": urls["core"],
        "redis_url": redis_url,
        "django_secret_key": known["core_django_secret_key"],
        "signing_key_secret": known["signing_key_secret"],
        "sandbox_secret": known["sandbox_secret"],
    }
    return {
        "postgres": (POSTGRES_USER, {"superuser_password": known["superuser_password"]}),
        "redis": (REDIS_USER, {"redis.conf": f"requirepass {redis}\n", "redis_password": redis}),
        "roles": (
            POSTGRES_USER,
            {name: known[name] for name in ("superuser_password", *(f"{role}_password" for role in ROLES))},
        ),
        "migrate": (  # it checks that the signing secret still opens the keys in the database
            CORE_USER,
            {
                **idle,
                "migration_database_url": urls["core_owner"],
                "signing_key_secret": known["signing_key_secret"],
            },
        ),
        "migrate-stream": (STREAM_USER, {"migration_database_url": urls["stream_owner"]}),
        "migrate-chat": (
            CHAT_USER,
            {"migration_database_url": urls["chat_owner"], "django_secret_key": known["chat_django_secret_key"]},
        ),
        "core": (CORE_USER, core),
        "packager": (CORE_USER, {**idle, "database_url": urls["core"]}),
        "stream": (STREAM_USER, {"database_url": urls["stream"]}),
        "chat": (
            CHAT_USER,
            {
                "database_url": urls["chat"],
                "redis_url": redis_url,
                "django_secret_key": known["chat_django_secret_key"],
            },
        ),
    }


def hand_out(known: Mapping[str, str], consumers: Path) -> None:
    """Writes each consumer's files below `consumers`/<name>, and removes those that it no longer needs."""
    for consumer, (owner, files) in handouts(known).items():
        folder = consumers / consumer
        for stale in folder.iterdir():
            if stale.name not in files:
                stale.unlink()
        for name, text in files.items():
            write_file(folder / name, text, owner)


def own(folder: Path, user: int, group: int, mode: int) -> None:
    """Gives a fresh folder to `user`; one that has been handed over already is left as it is."""
    folder.mkdir(exist_ok=True)
    if folder.stat().st_uid == os.geteuid() != user:
        folder.chmod(mode)
        os.chown(folder, user, group)


def main(arguments: list[str], root: Path = Path("/"), give: Callable[[Path, int, int, int], None] = own) -> int:
    """Exit status 0, 2 for a wrong argument, 78 for a database without its secrets."""
    if arguments and (len(arguments) != 2 or arguments[0] != "rotate" or arguments[1] not in ROTATABLE):
        print(f"usage: make_secrets.py [rotate {'|'.join(ROTATABLE)}]", file=sys.stderr)
        return 2
    safe, database = root / "safe" / "secrets.json", root / "volumes" / "postgres" / "pgdata"
    try:
        known = complete(load(safe), database.exists())
    except OldDatabaseError as refusal:
        print(f"lectern: {refusal}", file=sys.stderr)
        return 78
    if arguments:
        known = rotate(known, arguments[1])
    save(safe, known)
    hand_out(known, root / "consumers")
    give(database, POSTGRES_USER, POSTGRES_USER, 0o700)  # after the safe: data never exists without its secrets
    give(root / "volumes" / "media", CORE_USER, SHARED_GROUP, 0o2750)
    give(root / "volumes" / "uploads", STREAM_USER, SHARED_GROUP, 0o2770)
    give(root / "volumes" / "books", CORE_USER, SHARED_GROUP, 0o700)
    give(root / "volumes" / "attachments", CHAT_USER, SHARED_GROUP, 0o2750)
    print("lectern: secrets are in place")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
