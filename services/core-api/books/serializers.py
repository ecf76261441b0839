"""Shapes of the books' requests and answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from books.journal import Period


class PeriodRequest(serializers.Serializer[Any]):
    """Query parameters: a moment, or a day, which begins at 00:00 UTC."""

    start = serializers.DateTimeField(required=False, help_text="Included.", input_formats=["iso-8601", "%Y-%m-%d"])
    end = serializers.DateTimeField(required=False, help_text="Not included.", input_formats=["iso-8601", "%Y-%m-%d"])

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "start" in attrs and "end" in attrs and attrs["start"] > attrs["end"]:
            raise serializers.ValidationError({"end": ["The end is before the start."]})
        return attrs

    @classmethod
    def period(cls, parameters: Any) -> Period:
        """The period that query parameters name. Raises ValidationError."""
        request = cls(data=parameters)
        request.is_valid(raise_exception=True)
        return Period(**request.validated_data)


class TrialBalanceLine(serializers.Serializer[Any]):
    account = serializers.CharField(help_text="A system account, all wallets together, or the sum.")
    debit = serializers.IntegerField(help_text="Credits that left it.")
    credit = serializers.IntegerField(help_text="Credits that reached it.")
    balance = serializers.IntegerField()
