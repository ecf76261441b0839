"""Buying credit: the intent, and the provider's answer. What the provider says happened: payments.events."""

from __future__ import annotations

import structlog

from accounts.models import User
from config.problems import Invalid
from payments.errors import ProviderRefused, ProviderUnavailable
from payments.models import CreditPack, TopUp
from payments.providers.base import Checkout, Provider, ProviderError
from payments.serializers import NOT_ON_SALE, TopUpSerializer
from wallet.idempotency import Answer, RequestKey, do_answer, do_claim, first_answer
from wallet.locking import money_transaction
from wallet.models import IdempotencyKey

log = structlog.get_logger("lectern.payments")


def buy_pack(key: RequestKey, pack: CreditPack, provider: Provider) -> Answer:
    """Commits the intent with its key, then asks the provider for a checkout. A repetition after a failed call resumes the intent.

    Raises Invalid (a pack that is not on sale), KeyReused, Busy, ProviderUnavailable, ProviderRefused.
    """
    with money_transaction():
        row = do_claim(key)
        if answer := first_answer(row):
            return answer
        topup = do_intend(row, key.user, pack, provider)
    checkout = open_checkout(provider, topup)
    with money_transaction():
        return do_record_checkout(row, topup, checkout)


def do_intend(row: IdempotencyKey, user: User, pack: CreditPack, provider: Provider) -> TopUp:
    if row.subject is not None:
        return TopUp.objects.get(pk=row.subject)
    if not pack.is_active:
        raise Invalid(errors={"pack": [NOT_ON_SALE]})
    price = {"credits": pack.credits, "amount": pack.amount, "currency": pack.currency}
    topup = TopUp.objects.create(user=user, pack=pack, provider=provider.name, **price)
    row.subject = topup.pk
    row.save(update_fields=["subject"])
    return topup


def open_checkout(provider: Provider, topup: TopUp) -> Checkout:
    try:
        return provider.create(topup)
    except ProviderError as error:
        log.warning("provider_call_failed", provider=provider.name, topup=str(topup.pk), error=str(error))
        raise (ProviderUnavailable if error.retryable else ProviderRefused) from error


def do_record_checkout(row: IdempotencyKey, topup: TopUp, checkout: Checkout) -> Answer:
    """Writes only what create() told: an event about this payment may have arrived, and been applied, before."""
    row = IdempotencyKey.objects.select_for_update().get(pk=row.pk)
    if answer := first_answer(row):  # a twin, resuming the same intent, was faster
        return answer
    TopUp.objects.filter(pk=topup.pk).update(provider_reference=checkout.reference, checkout_url=checkout.url)
    topup.refresh_from_db()
    answer = Answer(201, TopUpSerializer(topup).data)
    do_answer(row, answer)
    return answer
