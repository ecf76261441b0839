"""When one person's word is not enough."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from accounts.models import User
from wallet.models import Posting, Wallet

WITHIN = timedelta(days=1)
Kind = Posting.Kind
BY_STAFF = (Kind.ADJUSTMENT, Kind.PROMOTION, Kind.REFUND, Kind.TOPUP_REFUND)  # in one's own wallet, too


def needs_approval(by: User, wallet: Wallet, credits: int) -> bool:
    """Whether `by` needs a second person to move `credits` (given or taken) for somebody with this locked wallet.

    What the same person moved there within a day counts with it, so that a large sum does not pass in small ones.
    """
    moved = Posting.objects.filter(
        wallet=wallet, caused_by=by, kind__in=BY_STAFF, created_at__gt=timezone.now() - WITHIN
    )
    before = moved.aggregate(total=Sum("amount"))["total"] or 0
    return bool(abs(credits) + before > settings.APPROVAL_LIMIT)
