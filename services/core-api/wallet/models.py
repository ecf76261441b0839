"""Credit wallets, the postings that move credit, the orders that spend it, promotional credit, coupons. Credits are whole."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
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
        DEBT = "debt"  # what people owe

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
    promotional = models.BigIntegerField(default=0, help_text="The part of the balance that lies in lots.")
    frozen = models.BooleanField(default=False)
    head_seq = models.BigIntegerField(default=0)
    head_hash = models.BinaryField(max_length=32, default=bytes)

    class Meta:
        permissions = [("adjust", "Adjust wallets")]
        constraints = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="wallet_never_below_zero"),
            models.CheckConstraint(
                condition=Q(promotional__gte=0, promotional__lte=F("balance")), name="wallet_promotional_within_balance"
            ),
            models.CheckConstraint(condition=Q(head_seq__gte=0), name="wallet_head_seq_counts_up"),
        ]

    def __str__(self) -> str:
        return f"wallet of {self.user}"


class Order(models.Model):
    """What one person bought at one time. Prices are those of the moment."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="orders")
    price = models.PositiveIntegerField(help_text="The sum of its lines, in credits.")
    coupon = models.CharField(max_length=40, null=True, blank=True, help_text="The code that was given.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at"], name="order_user_newest")]

    def __str__(self) -> str:
        return f"order {self.id}"


class OrderLine(models.Model):
    """One course of an order, by the title and at the price of that moment. A refund names lines.

    `list_price` is the course's own price, or its share of the bundle's; `discount` is what the coupon took off.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="order_lines")
    title = models.CharField(max_length=200, help_text="The course's, when it was bought.")
    list_price = models.PositiveIntegerField()
    discount = models.PositiveIntegerField(default=0)
    price = models.PositiveIntegerField()
    refunded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "course"], name="order_line_course_once"),
            models.CheckConstraint(
                condition=Q(list_price=F("price") + F("discount")), name="order_line_price_explained"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} in {self.order}"


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
        TOPUP_REFUND = "topup_refund"
        CLAWBACK = "clawback"
        REINSTATED = "reinstated"  # a refund or a clawback, undone
        DEBT_PAID = "debt_paid"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Accounts and people are never deleted and nobody looks postings up by them, so these four columns have no index.
    # All purchases share a key-share lock of the revenue account's row, by its foreign key: it was measured to cost nothing.
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
        indexes = [  # few rows: a top-up's money seldom goes back
            models.Index(
                fields=["topup"],
                condition=Q(kind__in=["topup_refund", "clawback", "reinstated", "debt_paid"]),
                name="posting_of_reversed_topup",
            )
        ]
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
                condition=Q(
                    kind__in=["topup", "topup_refund", "clawback", "reinstated", "debt_paid"], topup__isnull=False
                )
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


class Lot(models.Model):
    """Promotional credit of a wallet: part of its balance, to be spent before `expires_at`. See wallet.lots.

    When a transaction commits, the database sees to it that `remaining` is the sum of the lot's entries, and the wallet's
    `promotional` the sum of its lots.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="lots", db_index=False)
    amount = models.BigIntegerField(help_text="As it was given.")
    remaining = models.BigIntegerField()
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, remaining__gte=0, remaining__lte=F("amount")),
                name="lot_remaining_within_amount",
            )
        ]
        indexes = [
            models.Index(fields=["wallet", "expires_at"], name="lot_of_wallet"),
            models.Index(fields=["expires_at"], condition=Q(remaining__gt=0), name="lot_to_expire"),
        ]

    def __str__(self) -> str:
        return f"{self.remaining} of {self.amount} until {self.expires_at:%Y-%m-%d}"


class LotEntry(models.Model):
    """What one posting put into a lot (`change` above zero) or took out of it; for an order's line, where it was for one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="entries")
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="lot_entries")
    order_line = models.ForeignKey(
        OrderLine, on_delete=models.PROTECT, null=True, blank=True, related_name="lot_entries"
    )
    change = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "lot entries"
        constraints = [
            models.CheckConstraint(condition=~Q(change=0), name="lot_entry_moves_something"),
            models.UniqueConstraint(fields=["posting", "lot", "order_line"], name="lot_entry_once_for_a_line"),
            models.UniqueConstraint(
                fields=["posting", "lot"], condition=Q(order_line__isnull=True), name="lot_entry_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.change:+} in {self.lot_id}"


class Coupon(models.Model):
    """A code that takes something off an order's lines. Only orders that name it touch its row. See wallet.coupons."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"\A[A-Z0-9_-]+\Z", "Use capital letters A to Z, digits, - and _.")],
        help_text="In capital letters; buyers may type small ones.",
    )
    percent = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Either this,")
    credits = models.PositiveIntegerField(null=True, blank=True, help_text="or this many credits off.")
    courses = models.ManyToManyField(Course, blank=True, related_name="+", help_text="None chosen: every course.")
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: no end.")
    limit = models.PositiveIntegerField(null=True, blank=True, help_text="Orders in all. Empty: as many as come.")
    limit_per_person = models.PositiveSmallIntegerField(null=True, blank=True, default=1, help_text="Empty: no limit.")
    used = models.PositiveIntegerField(default=0, editable=False, help_text="Orders that have it now.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__isnull=False, percent__gte=1, percent__lte=100, credits__isnull=True)
                | Q(percent__isnull=True, credits__isnull=False, credits__gte=1),
                name="coupon_percent_or_credits",
                violation_error_message="Give either a percentage from 1 to 100 or a number of credits.",
            ),
            models.CheckConstraint(
                condition=Q(limit__isnull=True) | Q(used__lte=F("limit")),
                name="coupon_used_within_limit",
                violation_error_message="More orders than that have used it already.",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="coupon_ends_after_it_starts",
                violation_error_message="It should end after it starts.",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Redemption(models.Model):
    """One order's use of a coupon; given back when the whole order is refunded."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="redemptions", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="redemption")
    number = models.PositiveSmallIntegerField(help_text="Which of this person's uses: 1, 2 …")
    returned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["coupon", "user", "number"],
                condition=Q(returned_at__isnull=True),
                name="redemption_number_once",
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="redemption_number_counts_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.coupon} in {self.order}"


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
