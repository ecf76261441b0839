"""Credit wallets, the postings that move credit, and the orders that spend it. Credits are whole numbers."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from config.ids import uuid7
from courses.models import Course


class Account(models.Model):
    """A place where credit can be. A system account (revenue, a provider's clearing) holds no balance: it is summed."""

    class Kind(models.TextChoices):
        WALLET = "wallet"
        REVENUE = "revenue"
        CLEARING = "clearing"  # what a payment provider owes us
        PROMOTION = "promotion"
        EXPIRED = "expired"
        ADJUSTMENT = "adjustment"

    id = models.UUIDField(primary_key=True, editable=False)  # wallet.accounts.account_id(code)
    code = models.CharField(max_length=60, unique=True, help_text="revenue, clearing:stripe, wallet:<user> …")
    kind = models.CharField(max_length=10, choices=Kind)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class Wallet(models.Model):
    """The account of one person, with its balance and the head of its chain of postings. Its row is its lock."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="wallet")
    balance = models.BigIntegerField(default=0)
    frozen = models.BooleanField(default=False)
    head_seq = models.BigIntegerField(default=0)
    head_hash = models.BinaryField(max_length=32, default=bytes)

    class Meta:
        permissions = [("adjust", "Adjust wallets")]
        constraints = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="wallet_never_below_zero"),
            models.CheckConstraint(condition=Q(head_seq__gte=0), name="wallet_head_seq_counts_up"),
        ]

    def __str__(self) -> str:
        return f"wallet of {self.user}"


class Order(models.Model):
    """What one person bought at one time. Prices are those of the moment."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="orders")
    price = models.PositiveIntegerField(help_text="The sum of its lines, in credits.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at"], name="order_user_newest")]

    def __str__(self) -> str:
        return f"order {self.id}"


class OrderLine(models.Model):
    """One course of an order, at the price of that moment. A refund names lines."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="order_lines")
    price = models.PositiveIntegerField()
    refunded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "course"], name="order_line_course_once")]

    def __str__(self) -> str:
        return f"{self.course} in {self.order}"


class Posting(models.Model):
    """One movement of credit: `amount` leaves the debit account and reaches the credit account. Never changed, never deleted.

    Where it touches a wallet it carries the wallet's next sequence number, the balance after it and a hash chained to
    that wallet's posting before.
    """

    class Kind(models.TextChoices):
        TOPUP = "topup"
        PURCHASE = "purchase"
        REFUND = "refund"
        ADJUSTMENT = "adjustment"
        PROMOTION = "promotion"
        EXPIRY = "expiry"
        FORFEITURE = "forfeiture"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Accounts and people are never deleted and nobody looks postings up by them, so these four columns have no index.
    debit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="debits", db_index=False)
    credit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="credits", db_index=False)
    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, null=True, related_name="postings", db_index=False
    )  # the unique (wallet, wallet_seq) is its index
    caused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    amount = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    wallet_seq = models.BigIntegerField(null=True)
    balance_after = models.BigIntegerField(null=True)
    previous_hash = models.BinaryField(max_length=32, null=True)
    hash = models.BinaryField(max_length=32, null=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="postings")
    order_line = models.ForeignKey(
        OrderLine, on_delete=models.PROTECT, null=True, blank=True, related_name="postings", db_index=False
    )
    topup = models.ForeignKey(
        "payments.TopUp", on_delete=models.PROTECT, null=True, blank=True, related_name="postings", db_index=False
    )
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="posting_amount_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="posting_two_accounts"),
            models.CheckConstraint(
                condition=Q(
                    wallet__isnull=True,
                    wallet_seq__isnull=True,
                    balance_after__isnull=True,
                    previous_hash__isnull=True,
                    hash__isnull=True,
                )
                | Q(
                    Q(debit=F("wallet")) | Q(credit=F("wallet")),
                    wallet_seq__gt=0,
                    balance_after__gte=0,
                    previous_hash__isnull=False,
                    hash__isnull=False,
                ),
                name="posting_wallet_fields_together",
            ),
            models.CheckConstraint(
                condition=Q(kind="topup", topup__isnull=False)
                | Q(kind="purchase", order__isnull=False)
                | Q(kind="refund", order__isnull=False, order_line__isnull=False)
                | Q(kind__in=["adjustment", "promotion", "expiry", "forfeiture"]),
                name="posting_says_what_for",
            ),
            models.UniqueConstraint(fields=["wallet", "wallet_seq"], name="posting_wallet_seq_unique"),
            # A top-up credits once, an order is paid once, a line is refunded once, whatever the code above does.
            models.UniqueConstraint(fields=["topup"], condition=Q(kind="topup"), name="posting_topup_once"),
            models.UniqueConstraint(fields=["order"], condition=Q(kind="purchase"), name="posting_order_paid_once"),
            models.UniqueConstraint(
                fields=["order_line"], condition=Q(kind="refund"), name="posting_line_refunded_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.amount}"


class IdempotencyKey(models.Model):
    """The first answer to a money-moving request, given again to every repetition. Committed together with the money."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    route = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    body_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(null=True, help_text="JSON, as it was sent.")
    subject = models.UUIDField(null=True, help_text="What an unanswered request made: its repetition resumes this.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "route", "key"], name="idempotency_key_unique")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_created")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
