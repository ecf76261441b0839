"""What the catalogue may be filtered by: its categories and tags. Course managers make them in the admin site."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from config.permissions import Public
from courses.models import Category, Tag
from courses.queries import with_courses_count


class CategoryLine(serializers.ModelSerializer[Category]):
    courses_count = serializers.IntegerField(help_text="Courses on sale.")

    class Meta:
        model = Category
        fields = ["slug", "name", "courses_count"]


class TagWithCount(serializers.ModelSerializer[Tag]):
    courses_count = serializers.IntegerField(help_text="Courses on sale.")

    class Meta:
        model = Tag
        fields = ["slug", "name", "courses_count"]


@extend_schema_view(get=extend_schema(operation_id="list_categories"))
class CategoriesView(ListAPIView[Category]):
    """The categories, by name."""

    permission_classes = (Public,)
    serializer_class = CategoryLine
    queryset = with_courses_count(Category.objects.order_by("name", "slug"))


@extend_schema_view(get=extend_schema(operation_id="list_tags"))
class TagsView(ListAPIView[Tag]):
    """The tags, by name."""

    permission_classes = (Public,)
    serializer_class = TagWithCount
    queryset = with_courses_count(Tag.objects.order_by("name", "slug"))
