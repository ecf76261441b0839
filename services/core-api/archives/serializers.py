"""Shapes of copying and importing."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from courses.models import Course


class Copy(serializers.Serializer[Any]):
    """What the copy is called and where it is; both are made of the original's where they are left out."""

    title = serializers.CharField(required=False, max_length=Course._meta.get_field("title").max_length)
    slug = serializers.SlugField(required=False, max_length=80)


class ImportQuery(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField(required=False, help_text="Only look: nothing is imported.")


class DryRun(serializers.Serializer[Any]):
    """What an import would make, and all that is wrong with the archive: sentences by place. Empty: it can be imported."""

    title = serializers.CharField(allow_blank=True)
    sections = serializers.IntegerField()
    lessons = serializers.IntegerField()
    files = serializers.IntegerField()
    problems = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
