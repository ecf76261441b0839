"""The shapes of what agents and leads look at beside the conversation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

USUAL = timedelta(days=30)
LONGEST = timedelta(days=366)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class TranscriptQuerySerializer(serializers.Serializer[Any]):
    notes = serializers.ChoiceField(choices=["0", "1"], required=False, help_text="1: with the notes; for agents alone")


class PeriodSerializer(serializers.Serializer[Any]):
    """A moment, or a day, which begins at 00:00 UTC. Without: the last 30 days."""

    start = serializers.DateTimeField(required=False, help_text="included", input_formats=["iso-8601", "%Y-%m-%d"])
    end = serializers.DateTimeField(required=False, help_text="not included", input_formats=["iso-8601", "%Y-%m-%d"])

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end = attrs.get("end") or timezone.now()
        start = attrs.get("start") or (end - USUAL if end > EARLIEST + USUAL else EARLIEST)
        if start < EARLIEST:
            raise serializers.ValidationError({"start": ["There is nothing from before 1970."]})
        if not timedelta(0) < end - start <= LONGEST:
            raise serializers.ValidationError({"end": ["The end is after the start, by 366 days at most."]})
        return {"start": start, "end": end}


class TimesSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    median_s = serializers.FloatField(allow_null=True, help_text="seconds since the ticket was opened")
    p90_s = serializers.FloatField(allow_null=True)


class RatingsSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)


class CategoryStatsSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    opened = serializers.IntegerField()
    closed = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="now")
    oldest_queued_at = serializers.DateTimeField(allow_null=True, help_text="waiting since")
    first_response = TimesSerializer(help_text="of tickets opened in the period")
    resolution = TimesSerializer(help_text="of tickets closed in the period")
    rating = RatingsSerializer()


class AgentStatsSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = serializers.CharField()
    assigned = serializers.IntegerField(help_text="tickets given to them in the period")
    closed = serializers.IntegerField()
    open = serializers.IntegerField(help_text="now")
    first_response = TimesSerializer(help_text="theirs, of tickets opened in the period")
    resolution = TimesSerializer(help_text="of tickets that they had when they were closed in the period")
    rating = RatingsSerializer()


class StatsSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    categories = CategoryStatsSerializer(many=True)
    agents = AgentStatsSerializer(many=True)
