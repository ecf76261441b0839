"""Shapes of wallets, postings and orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from wallet import queries
from wallet.models import Lot, Order, OrderLine, Posting, Wallet

if TYPE_CHECKING:
    from wallet.actions import Purchase

MAX_CREDITS = 1_000_000_000  # what one request may name: far above any price, far below what a bigint holds


class StrictSerializer(serializers.Serializer[Any]):
    """A request body whose unknown names are refused, so that nobody believes a coupon was honoured that was ignored."""

    refuses_unknown_names = True  # for the OpenAPI document

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


class LotSerializer(serializers.ModelSerializer[Lot]):
    credits = serializers.IntegerField(source="remaining", help_text="What is left of it.")

    class Meta:
        model = Lot
        fields = ["id", "credits", "expires_at"]


class WalletSerializer(serializers.ModelSerializer[Wallet]):
    balance = serializers.SerializerMethodField(help_text="What may be spent now.")
    promotional = serializers.SerializerMethodField(
        help_text="The part of the balance that expires, the earliest first. It is spent before the rest."
    )

    owed = serializers.SerializerMethodField(
        help_text="Credits that were used up though their money went back. What arrives next pays them first."
    )
    frozen_because = serializers.SerializerMethodField(
        help_text="`debt`: until nothing is owed any more. `other`: support can tell why. null: it is not frozen."
    )

    class Meta:
        model = Wallet
        fields = ["balance", "promotional", "frozen", "frozen_because", "owed"]

    def get_owed(self, wallet: Wallet) -> int:
        return queries.owed(wallet)

    @extend_schema_field(serializers.ChoiceField(["debt", "other"], allow_null=True))
    def get_frozen_because(self, wallet: Wallet) -> str | None:
        if not wallet.frozen:
            return None
        return "debt" if queries.owed(wallet) else "other"

    def get_balance(self, wallet: Wallet) -> int:
        return queries.spendable(wallet)

    @extend_schema_field(LotSerializer(many=True))
    def get_promotional(self, wallet: Wallet) -> list[dict[str, Any]]:
        return list(LotSerializer(queries.promotional(wallet), many=True).data)


class MovementSerializer(serializers.ModelSerializer[Posting]):
    amount = serializers.SerializerMethodField(help_text="Credits; negative: they left the wallet.")

    class Meta:
        model = Posting
        fields = ["id", "kind", "amount", "balance_after", "order", "topup", "note", "created_at"]

    def get_amount(self, posting: Posting) -> int:
        return posting.amount if posting.credit_id == posting.wallet_id else -posting.amount


class OrderLineSerializer(serializers.ModelSerializer[OrderLine]):
    course = serializers.SlugField(source="course.slug", read_only=True)
    enrolment = serializers.UUIDField(source="enrolment.pk", read_only=True)

    class Meta:
        model = OrderLine
        fields = ["id", "course", "title", "list_price", "discount", "price", "enrolment", "refunded_at"]


class OrderSerializer(serializers.ModelSerializer[Order]):
    lines = OrderLineSerializer(many=True, read_only=True)
    refunded_at = serializers.SerializerMethodField(help_text="When the last of all its lines was refunded.")

    class Meta:
        model = Order
        fields = ["id", "price", "coupon", "lines", "refunded_at", "created_at"]

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_refunded_at(self, order: Order) -> str | None:
        lines = order.lines.all()
        times = [line.refunded_at for line in lines if line.refunded_at is not None]
        if not times or len(times) < len(lines):
            return None
        return str(serializers.DateTimeField().to_representation(max(times)))


class PlacedOrderSerializer(serializers.Serializer["Purchase"]):
    """A new order, as `do_purchase` gives it: nothing of it is read back."""

    id = serializers.UUIDField(source="order.pk")
    price = serializers.IntegerField(source="order.price", help_text="The sum of its lines, in credits.")
    coupon = serializers.CharField(source="order.coupon", allow_null=True, help_text="The code that was given.")
    balance = serializers.IntegerField(help_text="What the wallet holds after the purchase.")
    lines = OrderLineSerializer(many=True)
    refunded_at = serializers.SerializerMethodField(help_text="When the last of all its lines was refunded.")
    created_at = serializers.DateTimeField(source="order.created_at")

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_refunded_at(self, placed: Purchase) -> None:
        return None  # it is new


class PurchaseRequest(StrictSerializer):
    course = serializers.SlugField(max_length=80, required=False, help_text="A course's slug. Either this,")
    bundle = serializers.SlugField(max_length=80, required=False, help_text="or a bundle's.")
    coupon = serializers.RegexField(
        r"\A[A-Za-z0-9_-]+\Z", max_length=40, required=False, help_text="A coupon's code, in any case of letters."
    )
    expected_price = CreditsField(
        min_value=0,
        max_value=MAX_CREDITS,
        required=False,
        help_text="The catalogue's price, without coupon: 409 `price_changed` if it is another by now.",
    )

    def validate(self, body: dict[str, Any]) -> dict[str, Any]:
        if len({"course", "bundle"} & set(body)) != 1:
            raise serializers.ValidationError({"course": ["Name either a course or a bundle."]})
        return body


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


class PromotionRequest(StrictSerializer):
    amount = CreditsField(min_value=1, max_value=MAX_CREDITS)
    expires_at = serializers.DateTimeField(help_text="Until when it may be spent.")
    reason = serializers.CharField(max_length=200)
