"""A person's export: a ZIP of JSON files, one for each kind of thing that any service holds about them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from django.db import transaction
from django.utils import timezone
from rest_framework.utils.encoders import JSONEncoder

import accounts.queries
import approvals.queries
import audit.queries
import courses.queries
import learning.queries
import mail.queries
import media.queries
import payments.queries
import published.queries
import support.queries
import wallet.queries
from accounts.attempts import Purpose, check_and_count
from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from audit.origin import current_origin
from books.snapshot import one_snapshot
from privacy.sections import Missing, Section

HELD = (
    accounts.queries.held_about,
    courses.queries.held_about,
    learning.queries.held_about,
    media.queries.held_about,
    wallet.queries.held_about,
    payments.queries.held_about,
    approvals.queries.held_about,
    support.queries.held_about,
    mail.queries.held_about,
    audit.queries.held_about,
    published.queries.held_about,  # the other services' part
)
# Models that point at a person and stand in no section, and why.
NOT_EXPORTED = {
    "accounts.User_groups": "the profile names the roles",
    "accounts.User_user_permissions": "the profile names the permissions",
    "courses.Course_instructors": "taught_courses names the courses",
    "admin.LogEntry": "the admin site's own list of changes; security_log has each of them",
    "wallet.IdempotencyKey": "for a day, the answer to a request that orders, postings and top-ups tell as well",
}
IN_MEMORY = 1 << 20  # bytes; a larger archive goes on in a file without a name


def export(user: User) -> IO[bytes]:
    """The archive, at its beginning; whoever gets it closes it. Raises TooManyRequests.

    Written before the first byte is sent: a database that goes away half-way is a 503, not half an archive.
    """
    check_and_count(Purpose.EXPORT, account=str(user.pk), address=current_origin().address)
    with transaction.atomic():
        record(Kind.EXPORT, actor=user, subject=user)
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  the answer is sent from it
    try:
        with one_snapshot(), ZipFile(file, "w", ZIP_DEFLATED) as archive:
            _write(archive, user)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def sections(user: User) -> Iterator[Section | Missing]:
    for held_about in HELD:
        yield from held_about(user)


def _write(archive: ZipFile, user: User) -> None:
    manifest: dict[str, Any] = {"person": user.pk, "made_at": timezone.now(), "files": [], "missing": []}
    for section in sections(user):
        match section:
            case Missing(part, why):
                manifest["missing"].append({"part": part, "why": why})
            case Section(name, about):
                count = _write_rows(archive, section)
                manifest["files"].append({"file": f"{name}.json", "about": about, "rows": count})
    archive.writestr("manifest.json", json.dumps(manifest, cls=JSONEncoder, indent=2))
    archive.writestr("README.txt", _readme(manifest))


def _write_rows(archive: ZipFile, section: Section) -> int:
    count = 0
    with archive.open(f"{section.name}.json", "w") as file:
        file.write(b"[")
        for count, row in enumerate(section.rows, start=1):
            text = json.dumps(row, cls=JSONEncoder, ensure_ascii=False)
            file.write((b",\n" if count > 1 else b"\n") + text.encode(errors="replace"))
        file.write(b"\n]\n")
    return count


def _readme(manifest: dict[str, Any]) -> str:
    lines = [
        f"Everything that is held here about the person {manifest['person']}, on {manifest['made_at']:%Y-%m-%d %H:%M} UTC."
    ]
    lines += ["Each file is JSON: a list of objects. Times are UTC; credits are whole numbers.", ""]
    lines += [f"{each['file']} ({each['rows']}): {each['about']}" for each in manifest["files"]]
    lines += [f"Missing: {each['part']}: {each['why']}" for each in manifest["missing"]]
    lines += ["", "Not in here: passwords, tokens and keys, which are kept hashed or sealed."]
    return "\n".join(lines) + "\n"
