"""Lets ClamAV look at what was uploaded, in no transaction. An attachment is ready after a clean answer, never before.

Rows are the queue: one in work is put off by LEASE, so that what a killed process was scanning is taken up again.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone

from tickets import clamav, files
from tickets.models import Attachment, AttachmentState

LEASE = timedelta(minutes=2)  # longer than clamav.WITHIN
RETRY_AFTER = timedelta(seconds=10)

TAKE = """
UPDATE chat.attachment SET scan_at = now() + %(lease)s::interval
 WHERE id = (SELECT id FROM chat.attachment WHERE state = 'scanning' AND scan_at <= now()
              ORDER BY scan_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""

log = structlog.get_logger()


def scan_waiting() -> int:
    """Scans one after another, until nothing waits or the scanner is away; how many were scanned. Several at once share."""
    scanned, scanner = 0, settings.CLAMAV_ADDRESS
    if scanner is None:
        return 0
    while attachment := _take():
        try:
            _scan(attachment, scanner)
        except clamav.ScannerAway as error:
            log.warning("scanner_away", attachment=str(attachment), error=str(error)[:200])
            Attachment.objects.filter(pk=attachment).update(scan_at=timezone.now() + RETRY_AFTER)
            break
        scanned += 1
    return scanned


def _take() -> uuid.UUID | None:
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"lease": str(LEASE)})
        row = cursor.fetchone()
        return row[0] if row else None


def _scan(attachment: uuid.UUID, scanner: tuple[str, int]) -> None:
    try:
        with (files.root() / files.place(attachment)).open("rb") as file:
            found = clamav.scan(scanner, file)
    except FileNotFoundError:
        found = "no file"  # of a restored backup, or erased this moment
    if found is None:
        _settle(attachment, AttachmentState.READY)
        return
    _settle(attachment, AttachmentState.REJECTED)
    files.drop([attachment])  # killed before this: the sweep of files, which wants none of a rejected one's
    log.warning("attachment_rejected", attachment=str(attachment), found=found)


def _settle(attachment: uuid.UUID, state: AttachmentState) -> None:
    Attachment.objects.filter(pk=attachment, state=AttachmentState.SCANNING).update(state=state)
