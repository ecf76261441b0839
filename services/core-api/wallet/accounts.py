"""The accounts that every installation has, and how an account's id follows from its code."""

from __future__ import annotations

import uuid

from wallet.models import Account

_NAMESPACE = uuid.UUID("6f9619ff-5b6a-5f0e-9c39-2f7d0c1c6a01")

REVENUE = "revenue"
ADJUSTMENT = "adjustment"
PROMOTION = "promotion"
EXPIRED = "expired"
DEBT = "debt"  # what people owe: credit that they used up though its money went back
SYSTEM_ACCOUNTS = {
    REVENUE: Account.Kind.REVENUE,
    ADJUSTMENT: Account.Kind.ADJUSTMENT,
    PROMOTION: Account.Kind.PROMOTION,
    EXPIRED: Account.Kind.EXPIRED,
    DEBT: Account.Kind.DEBT,
    "clearing:sandbox": Account.Kind.CLEARING,
    "clearing:stripe": Account.Kind.CLEARING,
}


def account_id(code: str) -> uuid.UUID:
    """The id of the account with that code: known without asking the database, and the same for two who make it at once."""
    return uuid.uuid5(_NAMESPACE, code)


def clearing(provider: str) -> str:
    """The code of the account that holds what a payment provider owes us."""
    return f"clearing:{provider}"
