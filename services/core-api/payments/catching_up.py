"""Asking providers about what they should have told us, and asking again for what was cut short."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import structlog
from django.db.models import F, Model, QuerySet
from django.utils import timezone

from payments.events import refresh_topup
from payments.models import Reversal, TopUp
from payments.providers import providers
from payments.providers.base import ProviderError
from payments.refunds import carry_out
from wallet.errors import Busy

BATCH = 50
LONGEST_PAUSE = timedelta(hours=6)

Row = TypeVar("Row", bound=Model)
log = structlog.get_logger("lectern.payments")


def ask_about_pending_topups() -> None:
    """Settles what is pending for ten minutes: paid, or failed where the provider says that it is over.

    Pauses double for each top-up, from a minute to six hours. A provider that does not answer is left alone until the
    next run.
    """
    due = TopUp.objects.filter(status=TopUp.Status.PENDING, next_check_at__lte=timezone.now())
    for name in providers():
        _each(due.filter(provider=name).select_related("user").order_by("next_check_at"), _ask_about)


def carry_out_pending_refunds() -> None:
    """Asks again for refunds whose request was cut short, and how those stand that banks take their time for."""
    due = Reversal.objects.filter(kind=Reversal.Kind.REFUND, stage=Reversal.Stage.PENDING)
    due = due.filter(next_attempt_at__lte=timezone.now()).select_related("topup__user")
    for name in providers():
        _each(due.filter(topup__provider=name).order_by("next_attempt_at"), _carry_out)


def _each(due: QuerySet[Row], act: Callable[[Row], None]) -> None:
    for row in due[:BATCH]:
        try:
            act(row)
        except Busy:
            continue
        except ProviderError as error:
            log.warning("provider_call_failed", subject=str(row.pk), error=str(error))
            return


def _ask_about(topup: TopUp) -> None:
    """The pause is committed before the call: what kills the worker does not hold up the others."""
    pause = min(timedelta(minutes=2 ** min(topup.checks, 10)), LONGEST_PAUSE)
    mine = TopUp.objects.filter(pk=topup.pk)
    mine.update(next_check_at=timezone.now() + pause, checks=F("checks") + 1)
    try:
        refresh_topup(topup)
    except ProviderError as error:
        if error.retryable:
            raise
        log.warning("provider_call_failed", subject=str(topup.pk), error=str(error))
        mine.filter(status=TopUp.Status.PENDING, provider_reference="").update(status=TopUp.Status.FAILED)


def _carry_out(refund: Reversal) -> None:
    pause = min(timedelta(minutes=2 ** min(refund.attempts, 10)), LONGEST_PAUSE)
    again = {"next_attempt_at": timezone.now() + pause, "attempts": F("attempts") + 1}
    Reversal.objects.filter(pk=refund.pk).update(**again)
    carry_out(refund)
