"""What people are told by mail about money that goes back."""

from __future__ import annotations

from mail.actions import do_queue
from payments.models import Reversal

WHOLE = frozenset(  # Stripe's list: their smallest unit is the whole one
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"]
)
THOUSANDTHS = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])  # as well: a dinar and a rial have a thousand


def do_tell_begun(reversal: Reversal) -> None:
    """Of a dispute: that its credits were taken back, and what is owed."""
    if reversal.kind != Reversal.Kind.DISPUTE or not reversal.credits:
        return
    text = (
        f"Your bank took back {_money(reversal)} that you had paid for {reversal.topup.credits} credits. "
        f"We therefore took {reversal.credits - reversal.owed} credits out of your wallet.\n"
    )
    if reversal.owed:
        text += (
            f"\n{reversal.owed} more were spent already. Until they are paid, your wallet is frozen: it can receive credit, "
            "but not spend it. What you buy next pays them first.\n"
        )
    text += (
        "\nIf you did not ask your bank for this, please tell it so: when the payment stands, you get everything back."
    )
    _do_send(reversal, "payment_disputed", "Your bank took a payment back", text)


def do_tell_closed(reversal: Reversal) -> None:
    """How a refund or a dispute ended. Of a lost dispute people heard when it began."""
    money, credits = _money(reversal), f"{reversal.credits} credits"
    refund = reversal.kind == Reversal.Kind.REFUND
    if reversal.stage == Reversal.Stage.DONE:
        if refund:
            text = f"You get {money} back, the way you paid. {credits} left your wallet for it."
            _do_send(reversal, "topup_refunded", "Your money is on its way back", text)
    elif not reversal.credits:
        return  # nothing had been taken
    elif refund:
        text = f"The refund of {money} did not work. Its {credits} are yours again."
        _do_send(reversal, "topup_refund_failed", "A refund did not work", text)
    else:
        text = f"Your payment of {money} stands. Its {credits} are yours again."
        _do_send(reversal, "dispute_ended", "Your payment stands", text)


def _do_send(reversal: Reversal, kind: str, subject: str, text: str) -> None:
    user = reversal.topup.user
    if user.erased_at is None:
        do_queue(kind, user, subject, text)


def _money(reversal: Reversal) -> str:
    currency = reversal.topup.currency
    if currency in WHOLE:
        return f"{reversal.amount} {currency}"
    places = 3 if currency in THOUSANDTHS else 2
    whole, parts = divmod(reversal.amount, 10**places)
    return f"{whole}.{parts:0{places}} {currency}"
