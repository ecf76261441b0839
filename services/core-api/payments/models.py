"""Buying credit with money: packs, top-ups, and what payment providers told us."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.ids import uuid7


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

    class Meta:
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
