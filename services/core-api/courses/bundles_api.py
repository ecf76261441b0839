"""Bundles in the catalogue. They are made in the admin site."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request

from config.permissions import Public
from courses.models import Bundle, Course
from courses.queries import bundles_on_sale
from learning.queries import had
from wallet.offers import price_left


class BundledCourse(serializers.ModelSerializer[Course]):
    enrolled = serializers.BooleanField()

    class Meta:
        model = Course
        fields = ["id", "slug", "title", "price", "enrolled"]


class BundleSerializer(serializers.ModelSerializer[Bundle]):
    courses = BundledCourse(many=True, read_only=True)
    price_left = serializers.SerializerMethodField(
        help_text="What it costs you: the share of the courses that you have already is taken off."
    )

    class Meta:
        model = Bundle
        fields = ["id", "slug", "title", "description", "price", "price_left", "access_days", "access_until", "courses"]

    def get_price_left(self, bundle: Bundle) -> int:
        had_already: set[Any] = self.context["had"]
        return price_left(bundle, had_already)


def shown_to(request: Request) -> dict[str, Any]:
    """What the serializer needs to know about who asks."""
    bundled = Bundle.objects.filter(status=Bundle.Status.PUBLISHED).values_list("courses", flat=True)
    return {"had": had(request.user, bundled).courses}


@extend_schema_view(get=extend_schema(operation_id="list_bundles"))
class Bundles(ListAPIView[Bundle]):
    """The bundles on sale: courses sold together for less, the newest first."""

    permission_classes = (Public,)
    serializer_class = BundleSerializer
    queryset = Bundle.objects.none()  # for the document; requests use get_queryset

    def get_queryset(self) -> QuerySet[Bundle]:
        return bundles_on_sale(self.request.user).order_by("-created_at", "-id")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), **shown_to(self.request)}


@extend_schema_view(get=extend_schema(operation_id="get_bundle"))
class OneBundle(RetrieveAPIView[Bundle]):
    """A bundle on sale."""

    permission_classes = (Public,)
    serializer_class = BundleSerializer
    lookup_field = "slug"
    queryset = Bundle.objects.none()  # for the document; requests use get_queryset

    def get_queryset(self) -> QuerySet[Bundle]:
        return bundles_on_sale(self.request.user)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), **shown_to(self.request)}
