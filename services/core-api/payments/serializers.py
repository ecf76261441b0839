"""Shapes of packs and top-ups."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from payments.models import CreditPack, TopUp
from payments.providers import providers
from payments.providers.base import Provider
from payments.sandbox import REVERSED
from wallet.serializers import StrictSerializer

NOT_ON_SALE = "There is no such pack on sale."


class PackSerializer(serializers.ModelSerializer[CreditPack]):
    class Meta:
        model = CreditPack
        fields = ["code", "name", "credits", "amount", "currency"]


class TopUpSerializer(serializers.ModelSerializer[TopUp]):
    pack = serializers.SlugField(source="pack_id", read_only=True)

    class Meta:
        model = TopUp
        fields = [
            *("id", "status", "pack", "provider", "credits", "amount", "currency"),
            *("checkout_url", "created_at", "paid_at"),
        ]


class TopUpRequest(StrictSerializer):
    pack = serializers.SlugRelatedField(
        slug_field="code",
        queryset=CreditPack.objects.all(),  # a repeated request names one that was on sale: do_intend refuses others
        error_messages={"does_not_exist": NOT_ON_SALE, "invalid": "This should be a pack's code."},
    )
    provider = serializers.CharField(max_length=20)

    def validate_provider(self, name: str) -> Provider:
        enabled = providers()
        if name not in enabled:
            known = ", ".join(sorted(enabled)) or "none"
            raise serializers.ValidationError(f"This provider is not available here. Available: {known}.")
        return enabled[name]


class TopUpRefundRequest(StrictSerializer):
    reason = serializers.CharField(max_length=200)


class SandboxRequest(StrictSerializer):
    outcome = serializers.ChoiceField(
        ["paid", "failed", *REVERSED],
        help_text="The last five: what a bank, or an admin in a provider's dashboard, does.",
    )
    amount = serializers.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text="Of a refund or a dispute; by default all that is left.",
    )
    copies = serializers.IntegerField(min_value=1, max_value=100, default=1, help_text="How often the webhook is sent.")
    delay_s = serializers.IntegerField(min_value=0, max_value=60, default=0, help_text="Seconds until it is sent.")

    def validate(self, body: dict[str, Any]) -> dict[str, Any]:
        if "amount" in body and body["outcome"] not in ("refunded", "disputed"):
            raise serializers.ValidationError({"amount": ["Only a part can go back; what is paid is the price."]})
        return body
