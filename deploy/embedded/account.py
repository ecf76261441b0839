"""Which operating-system account an embedded PostgreSQL runs as, and where its files may lie.

PostgreSQL refuses to run as root, so root starts it as `nobody`. That account must be able to reach the server's
programs and its data: where the checkout lies below a folder closed to others (such as root's home), both go to a
folder of their own below /var/tmp and the checkout's permissions stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

UNPRIVILEGED = "nobody"


def as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def server_user() -> dict[str, Any]:
    """Keyword arguments for subprocess that drop root's rights; empty for an ordinary user."""
    if not as_root():
        return {}
    import pwd

    account = pwd.getpwnam(UNPRIVILEGED)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def open_to_all(path: Path) -> bool:
    """Whether every folder from the root down to `path` may be entered by others."""
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])


def reachable_folder(wanted: Path) -> Path:
    """`wanted`, made; or, for root in a closed checkout, a folder elsewhere that `wanted` then links to."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if not as_root() or open_to_all(wanted.parent):
        wanted.mkdir(exist_ok=True)
        return wanted
    elsewhere = Path("/var/tmp") / f"lectern-{hashlib.sha256(str(wanted).encode()).hexdigest()[:12]}"  # noqa: S108  its name is ours alone and its mode is set below
    elsewhere.mkdir(mode=0o711, exist_ok=True)
    if elsewhere.stat().st_uid != os.geteuid():
        raise SystemExit(f"lectern: {elsewhere} belongs to somebody else: remove it, then start again.")
    if not wanted.is_symlink():
        shutil.rmtree(wanted, ignore_errors=True)
        wanted.symlink_to(elsewhere)
    return elsewhere


def give_to_server(path: Path) -> None:
    """Hands `path` to the account that the server runs as, closed to all others."""
    path.chmod(0o700)
    if as_root():
        user = server_user()
        os.chown(path, user["user"], user["group"])
