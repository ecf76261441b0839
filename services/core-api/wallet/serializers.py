"""Shapes of wallets, postings and orders."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from wallet.models import Order, OrderLine, Posting, Wallet

MAX_CREDITS = 1_000_000_000  # what one request may name: far above any price, far below what a bigint holds


class StrictSerializer(serializers.Serializer[Any]):
    """A request body whose unknown names are refused, so that nobody believes a coupon was honoured that was ignored."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if unknown := sorted(set(data) - set(self.fields)):
            raise serializers.ValidationError({name: ["This is not known here."] for name in unknown})
        return value


@extend_schema_field({"type": "integer"})
class CreditsField(serializers.IntegerField):
    """Whole credits: a JSON number without a fraction; not a text, not true, not 5.0."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return int(data)


class WalletSerializer(serializers.ModelSerializer[Wallet]):
    class Meta:
        model = Wallet
        fields = ["balance", "frozen"]


class MovementSerializer(serializers.ModelSerializer[Posting]):
    amount = serializers.SerializerMethodField(help_text="Credits; negative: they left the wallet.")

    class Meta:
        model = Posting
        fields = ["id", "kind", "amount", "balance_after", "order", "topup", "note", "created_at"]

    def get_amount(self, posting: Posting) -> int:
        return posting.amount if posting.credit_id == posting.wallet_id else -posting.amount


class OrderLineSerializer(serializers.ModelSerializer[OrderLine]):
    course = serializers.SlugField(source="course.slug", read_only=True)
    title = serializers.CharField(source="course.title", read_only=True)
    enrolment = serializers.UUIDField(source="enrolment.pk", read_only=True)

    class Meta:
        model = OrderLine
        fields = ["id", "course", "title", "price", "enrolment", "refunded_at"]


class OrderSerializer(serializers.ModelSerializer[Order]):
    coupon = serializers.SerializerMethodField()
    lines = OrderLineSerializer(many=True, read_only=True)
    refunded_at = serializers.SerializerMethodField(help_text="When the last of all its lines was refunded.")

    class Meta:
        model = Order
        fields = ["id", "price", "coupon", "lines", "refunded_at", "created_at"]

    def get_coupon(self, order: Order) -> str | None:
        return None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_refunded_at(self, order: Order) -> str | None:
        lines = order.lines.all()
        times = [line.refunded_at for line in lines if line.refunded_at is not None]
        if not times or len(times) < len(lines):
            return None
        return str(serializers.DateTimeField().to_representation(max(times)))


class PlacedOrderSerializer(OrderSerializer):
    balance = serializers.SerializerMethodField(help_text="What the wallet holds after the purchase.")

    class Meta(OrderSerializer.Meta):
        fields = ["id", "price", "coupon", "balance", "lines", "refunded_at", "created_at"]

    def get_balance(self, order: Order) -> int:
        balance: int = self.context["balance"]
        return balance


class PurchaseRequest(StrictSerializer):
    course = serializers.SlugField(max_length=80, help_text="The course's slug.")
    expected_price = CreditsField(
        min_value=0, max_value=MAX_CREDITS, required=False, help_text="409 `price_changed` if it is another by now."
    )


class RefundRequest(StrictSerializer):
    reason = serializers.CharField(max_length=200)
    lines = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=100, required=False, help_text="All by default."
    )


class AdjustRequest(StrictSerializer):
    amount = CreditsField(min_value=-MAX_CREDITS, max_value=MAX_CREDITS, help_text="Negative: taken away.")
    reason = serializers.CharField(max_length=200)

    def validate_amount(self, amount: int) -> int:
        if amount == 0:
            raise serializers.ValidationError("Zero credits are no adjustment.")
        return amount
