"""What the books' jobs write: the outcome of each proof, and an alert where one found something."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from books.models import Reconciliation
from books.reconcile import differences
from books.snapshot import one_snapshot
from mail.actions import do_alert_admins

TOLD = 100  # differences kept and mailed; `manage.py reconcile_wallets` names them all


def reconcile() -> Reconciliation:
    """Proves the books, keeps the outcome, and alerts the admins to any difference."""
    began = timezone.now()
    checked = found = 0
    sentences: list[str] = []

    def progress(postings: int) -> None:
        nonlocal checked
        checked = postings

    with one_snapshot():
        for found, sentence in enumerate(differences(progress), start=1):
            if found <= TOLD:
                sentences.append(sentence)
    with transaction.atomic():
        outcome = Reconciliation.objects.create(
            started_at=began, postings=checked, differences=found, sentences=sentences
        )
        if found:
            do_alert_admins("books_differ", f"The books do not agree: {found} differences", _alert(found, sentences))
    return outcome


def _alert(found: int, sentences: list[str]) -> str:
    lines = "\n".join(sentences)
    more = f"\nand {found - len(sentences)} more" if found > len(sentences) else ""
    return (
        f"The nightly reconciliation found {found} differences:\n\n{lines}{more}\n\n"
        "Nothing was changed. `manage.py reconcile_wallets` names them all; deploy/runbook.md says what to do next."
    )
