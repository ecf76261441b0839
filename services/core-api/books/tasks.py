"""The nightly proofs (the worker's clock; on SQLite there is none)."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from procrastinate.contrib.django import app

from books import actions, heads
from books.models import Reconciliation
from books.snapshot import one_snapshot
from config import jobs

KEPT = timedelta(days=400)


@app.periodic(cron="7 2 * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="reconcile_wallets", lock="reconcile_wallets")
def reconcile_wallets(timestamp: int | None = None) -> None:
    Reconciliation.objects.filter(started_at__lt=timezone.now() - KEPT).delete()
    actions.reconcile()


@app.periodic(cron="7 4 * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="export_wallet_heads", lock="export_wallet_heads")
def export_wallet_heads(timestamp: int | None = None) -> None:
    heads.signing_key()  # made, on first use, outside the snapshot
    with one_snapshot():
        heads.export(settings.BOOKS_ROOT)
