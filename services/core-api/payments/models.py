"""Buying credit with money: packs, top-ups, and what payment providers told us."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from config.ids import uuid7

ASK_AFTER = timedelta(minutes=10)  # without a word from the provider, we ask


def first_check() -> datetime:
    return timezone.now() + ASK_AFTER


class CreditPack(models.Model):
    code = models.SlugField(primary_key=True)
    name = models.CharField(max_length=80)
    credits = models.PositiveIntegerField()
    amount = models.PositiveIntegerField(help_text="Price in the currency's smallest unit (cents).")
    currency = models.CharField(max_length=3, default="EUR", help_text="ISO 4217.")
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField("on sale", default=True)

    class Meta:
        ordering = ["position", "credits"]
        permissions = [("refund", "Refund orders and top-ups")]
        constraints = [
            models.CheckConstraint(condition=Q(credits__gt=0, amount__gt=0), name="credit_pack_positive"),
            # As providers' events name it: of a payment in any other currency than was asked for, nothing is credited.
            models.CheckConstraint(
                condition=Q(currency__regex="^[A-Z]{3}$"),
                name="credit_pack_currency_known",
                violation_error_message="Write the currency as the three capital letters of ISO 4217, such as EUR.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TopUp(models.Model):
    """An intent to buy a pack, committed before any provider hears of it. Its id is the provider's own idempotency key."""

    class Status(models.TextChoices):
        PENDING = "pending"
        PAID = "paid"
        FAILED = "failed"
        REFUNDED = "refunded"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="topups")
    pack = models.ForeignKey(CreditPack, on_delete=models.PROTECT, related_name="topups")
    provider = models.CharField(max_length=20)
    provider_reference = models.CharField(max_length=120, blank=True, help_text="The provider's own id of the payment.")
    checkout_url = models.CharField(max_length=2000, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    credits = models.PositiveIntegerField()
    amount = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(default=timezone.now)
    paid_at = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField(default=first_check, editable=False)
    checks = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        indexes = [models.Index(fields=["next_check_at"], condition=Q(status="pending"), name="topup_pending")]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "provider_reference"],
                condition=~Q(provider_reference=""),
                name="topup_reference_unique",
            ),
            models.CheckConstraint(condition=Q(credits__gt=0, amount__gt=0), name="topup_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.credits} credits for {self.user}"


class Reversal(models.Model):
    """Money of a paid top-up that goes back: a refund of ours, one made in the provider's dashboard, or a dispute.

    Its credits leave the wallet as soon as it begins; what the wallet does not hold is owed, and the wallet frozen. Where
    the money stays after all (the refund failed, the dispute is won), everything is given back. All under the wallet's lock.
    """

    class Kind(models.TextChoices):
        REFUND = "refund"
        DISPUTE = "dispute"

    class Stage(models.TextChoices):  # events come in any order: a reversal moves down this list, never up
        PENDING = "pending", "Under way"
        DONE = "done", "The money is gone"
        UNDONE = "undone", "The money stays"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)  # a refund's idempotency key at the provider
    topup = models.ForeignKey(TopUp, on_delete=models.PROTECT, related_name="reversals")
    kind = models.CharField(max_length=8, choices=Kind)
    stage = models.CharField(max_length=8, choices=Stage, default=Stage.PENDING)
    reference = models.CharField(
        max_length=120, blank=True, help_text="The provider's own id of the refund or dispute."
    )
    amount = models.PositiveIntegerField(help_text="In the currency's smallest unit (cents).")
    credits = models.PositiveIntegerField(help_text="Taken back, or owed.")
    owed = models.PositiveIntegerField(default=0, help_text="Credits of these that the wallet did not hold.")
    postings = models.ManyToManyField(
        "wallet.Posting",
        blank=True,
        related_name="+",
        help_text="What took its credits out of the wallet, then or since.",
    )
    froze_wallet = models.BooleanField(default=False)  # not an admin: so it may thaw it
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )  # nobody: it began at the provider
    reason = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(default=timezone.now, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(kind="refund", stage="pending"), name="refund_pending"
            ),
            models.Index(fields=["topup"], condition=Q(owed__gt=0), name="reversal_owed"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["topup", "kind", "reference"], condition=~Q(reference=""), name="reversal_reference_unique"
            ),
            models.UniqueConstraint(
                fields=["topup"],
                condition=Q(kind="refund", stage="pending", requested_by__isnull=False),
                name="reversal_one_refund_at_once",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="reversal_amount_positive"),
            models.CheckConstraint(condition=Q(owed__lte=F("credits")), name="reversal_owes_no_more_than_it_took"),
            models.CheckConstraint(condition=~Q(stage="undone") | Q(owed=0), name="reversal_undone_owes_nothing"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.topup}"


class ProviderEvent(models.Model):
    """A verified event of a provider, recorded once however often it comes."""

    class Outcome(models.TextChoices):
        APPLIED = "applied"
        IGNORED = "ignored"
        QUARANTINED = "quarantined"  # it does not match the intent, or there is none: for an admin to look at

    provider = models.CharField(max_length=20)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=60)
    topup = models.ForeignKey(TopUp, on_delete=models.PROTECT, null=True, blank=True, related_name="events")
    outcome = models.CharField(max_length=12, choices=Outcome)
    detail = models.CharField(max_length=300, blank=True)
    received_at = models.DateTimeField(default=timezone.now)
    handled_at = models.DateTimeField("dealt with", null=True, blank=True)  # by an admin, who was alerted

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "event_id"], name="provider_event_unique")]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"


class SandboxPayment(models.Model):
    """The sandbox provider's own record of a payment, as a real provider would keep it elsewhere."""

    reference = models.CharField(primary_key=True, max_length=60)
    topup_id = models.UUIDField(unique=True)
    amount = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    outcome = models.CharField(max_length=10, blank=True, help_text="paid, failed or, before either, nothing.")

    def __str__(self) -> str:
        return self.reference


class SandboxReversal(models.Model):
    """The sandbox's own record of a refund or a dispute."""

    reference = models.CharField(primary_key=True, max_length=60)
    payment = models.ForeignKey(SandboxPayment, on_delete=models.PROTECT, related_name="reversals")
    kind = models.CharField(max_length=8, choices=Reversal.Kind)
    stage = models.CharField(max_length=8, choices=Reversal.Stage)
    amount = models.PositiveIntegerField()
    asked_as = models.UUIDField(
        null=True, unique=True, help_text="The idempotency key of whoever asked for this refund."
    )

    def __str__(self) -> str:
        return self.reference
