"""What one person proposes and another one decides."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from config.ids import uuid7


class Approval(models.Model):
    """A refund, an adjustment or an extension that waits for somebody's word. Nothing moves before it is approved.

    Whoever proposed it never decides it, nor approves it whoever profits by it: the database holds that.
    """

    class Kind(models.TextChoices):
        REFUND = "refund"  # of an order, or of some of its lines
        TOPUP_REFUND = "topup_refund"
        ADJUSTMENT = "adjustment"
        PROMOTION = "promotion"  # credit that expires
        EXTENSION = "extension"

    class State(models.TextChoices):
        PENDING = "pending"
        APPROVED = "approved"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=12, choices=Kind)
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", help_text="Whose credit or course it is."
    )
    order = models.ForeignKey("wallet.Order", on_delete=models.PROTECT, null=True, related_name="approvals")
    lines = models.JSONField(null=True, help_text="Ids of the order's lines; nothing: all of them.")
    topup = models.ForeignKey("payments.TopUp", on_delete=models.PROTECT, null=True, related_name="approvals")
    enrolment = models.ForeignKey("learning.Enrolment", on_delete=models.PROTECT, null=True, related_name="approvals")
    days = models.PositiveSmallIntegerField(null=True, help_text="By how many days the enrolment is extended.")
    amount = models.BigIntegerField(null=True, help_text="Credits; negative: they leave the wallet.")
    expires_at = models.DateTimeField(null=True, help_text="Of promotional credit.")
    reason = models.CharField(max_length=200)
    ticket_id = models.UUIDField(null=True, help_text="The support ticket that it was proposed in.")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=200, blank=True, help_text="What the decider said.")

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(state="pending", decided_by__isnull=True, decided_at__isnull=True)
                | Q(~Q(state="pending"), decided_by__isnull=False, decided_at__isnull=False),
                name="approval_decided_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(decided_by=F("proposed_by")), name="approval_decided_by_another"),
            models.CheckConstraint(
                condition=~Q(state="approved") | ~Q(decided_by=F("person")), name="approval_not_for_oneself"
            ),
            models.CheckConstraint(
                condition=Q(kind="refund", order__isnull=False)
                | Q(kind="topup_refund", topup__isnull=False)
                | Q(Q(kind="adjustment", amount__isnull=False), ~Q(amount=0))
                | Q(kind="promotion", amount__gt=0, expires_at__isnull=False)
                | Q(kind="extension", enrolment__isnull=False, days__gt=0),
                name="approval_says_of_what",
            ),
            *(
                models.UniqueConstraint(
                    fields=[name], condition=Q(state="pending"), name=f"approval_one_pending_{name}"
                )
                for name in ("order", "topup", "enrolment")
            ),
        ]
        indexes = [
            models.Index(fields=["state", "-id"], name="approval_newest"),
            models.Index(fields=["ticket_id"], condition=Q(ticket_id__isnull=False), name="approval_of_ticket"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.person}"
