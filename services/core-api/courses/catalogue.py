"""What one may ask of the catalogue: words, filters and orders, all of them together if one likes."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import OrderBy
from rest_framework import serializers

from accounts.models import User
from courses import search
from courses.models import Course
from courses.queries import Viewer, described, managed

ORDERS = ["title", "price", "published_at", "duration_s", "rating"]
NEWEST = ["-published_at"]


class CatalogueQuery(serializers.Serializer[Any]):
    """What one may ask of the catalogue."""

    search = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="Words of the title, tags, category, instructors, summary or description: whole, begun or misspelt.",
    )
    category = serializers.SlugField(required=False)
    tag = serializers.SlugField(required=False)
    instructor = serializers.CharField(required=False, max_length=150, help_text="A username.")
    level = serializers.ChoiceField(required=False, choices=Course.Level.choices)
    language = serializers.CharField(required=False, max_length=12)
    price_min = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    price_max = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    free = serializers.BooleanField(required=False, help_text="Only those that cost nothing, or only the others.")
    ordering = serializers.RegexField(
        rf"^-?({'|'.join(ORDERS)})(,-?({'|'.join(ORDERS)}))*$",
        required=False,
        max_length=100,
        error_messages={
            "invalid": f"Order by {', '.join(ORDERS)}: one or several, by commas, each with - for downwards."
        },
        help_text="Such as `price,-published_at`. Without: the best matches of a search first, else the newest.",
    )
    managed = serializers.BooleanField(
        required=False, help_text="Only the courses that one may change, whatever their status."
    )


def courses_for(user: Viewer, wanted: dict[str, Any]) -> QuerySet[Course]:
    """The courses that fit what is wanted (CatalogueQuery's names), in an order in which no two are equal."""
    words, orders = wanted.get("search", "").strip(), wanted.get("ordering", "")
    ranked = False
    if wanted.get("managed"):
        courses = search.plainly(managed(user), words)
    else:
        courses = Course.objects.filter(status=Course.Status.PUBLISHED)
        if words:
            courses = search.on_sale(courses, words)
            ranked = "relevance" in courses.query.annotations
    order = orders.split(",") if orders else ["-relevance", *NEWEST] if ranked else NEWEST
    return described(courses.filter(_filters(wanted)), user).order_by(*map(_direction, order), "-id")


def _filters(wanted: dict[str, Any]) -> Q:
    lookups = {
        "category": "category__slug",
        "level": "level",
        "language": "language",
        "price_min": "price__gte",
        "price_max": "price__lte",
    }
    matches = Q(**{lookup: wanted[name] for name, lookup in lookups.items() if name in wanted})
    if "tag" in wanted:
        matches &= Q(_has(Course.tags.through, tag__slug=wanted["tag"]))
    if "instructor" in wanted:
        matches &= Q(_has(Course.instructors.through, user__in=User.objects.called(wanted["instructor"])))
    if "free" in wanted:
        matches &= Q(price=0) if wanted["free"] else Q(price__gt=0)
    return matches


def _has(through: Any, **of: Any) -> Exists:
    """A course of many-to-many relations is found once, however many of its rows match."""
    return Exists(through.objects.filter(course=OuterRef("pk"), **of))


def _direction(name: str) -> OrderBy | str:
    """What nobody has rated comes last, whichever way."""
    if name.removeprefix("-") != "rating":
        return name
    return F("rating").desc(nulls_last=True) if name.startswith("-") else F("rating").asc(nulls_last=True)
