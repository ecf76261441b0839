"""Clean-up that runs by itself (the worker's clock; on SQLite there is none)."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from procrastinate.contrib.django import app

from config import jobs
from wallet.actions import do_expire_promotions
from wallet.errors import Busy
from wallet.locking import money_transaction
from wallet.models import IdempotencyKey, Lot

KEPT = timedelta(days=7)
BATCH = 500  # wallets whose ids are held at once


@app.periodic(cron="37 3 * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="purge_idempotency_keys")
def purge_idempotency_keys(timestamp: int | None = None) -> None:
    """Forgets requests of which no repetition is expected any more. What they moved stays unique by constraints."""
    IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


@app.periodic(cron="*/10 * * * *")
@app.task(queue=jobs.DEFAULT, queueing_lock="expire_promotions")
def expire_promotions(timestamp: int | None = None) -> None:
    """Posts away promotional credit that is over: each wallet in a transaction of its own. A busy one waits for the next run.

    Nothing waits for this job: credit that is over is not spent, nor shown, before it ran either.
    """
    over = Lot.objects.filter(remaining__gt=0, expires_at__lte=timezone.now())
    last = None
    while batch := _next_wallets(over, last):
        for wallet_id in batch:
            with suppress(Busy), money_transaction():
                do_expire_promotions(wallet_id)
        last = batch[-1]


def _next_wallets(over: QuerySet[Lot], after: UUID | None) -> list[UUID]:
    rest = over if after is None else over.filter(wallet__gt=after)
    return list(rest.order_by("wallet").values_list("wallet", flat=True).distinct()[:BATCH])
