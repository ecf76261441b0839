"""Shapes of courses, sections and lessons, as deploy/api.md fixes them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from courses.models import Category, Course, Lesson, Section
from media.serializers import AttachmentLine, PosterOfCourse

ORDERINGS = ["title", "-title", "price", "-price", "published_at", "-published_at", "duration_s", "-duration_s"]


class CatalogueQuery(serializers.Serializer[Any]):
    """What one may ask of the catalogue."""

    search = serializers.CharField(required=False, allow_blank=True, max_length=100)
    category = serializers.SlugField(required=False)
    level = serializers.ChoiceField(required=False, choices=Course.Level.choices)
    language = serializers.CharField(required=False, max_length=12)
    price_min = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    price_max = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    ordering = serializers.ChoiceField(required=False, choices=ORDERINGS)
    managed = serializers.BooleanField(
        required=False, help_text="Only the courses that one may change, whatever their status."
    )


class CourseCard(PosterOfCourse):
    category = serializers.SlugRelatedField[Category](slug_field="slug", read_only=True, allow_null=True)
    rating = serializers.SerializerMethodField()
    lessons_count = serializers.IntegerField()
    duration_s = serializers.SerializerMethodField()
    enrolled = serializers.BooleanField()

    class Meta(PosterOfCourse.Meta):
        fields = [
            "id",
            "slug",
            "title",
            "summary",
            "price",
            "category",
            "level",
            "language",
            "status",
            "rating",
            "lessons_count",
            "duration_s",
            "poster_url",
            "enrolled",
        ]  # fmt: skip  one a line would hide that this is the order of deploy/api.md

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_rating(self, course: Course) -> None:
        return None  # nobody has rated it

    @extend_schema_field(serializers.FloatField())
    def get_duration_s(self, course: Any) -> float:
        duration_s: float = course.duration_s
        return round(duration_s, 3)


class LessonLine(serializers.ModelSerializer[Lesson]):
    """A lesson in a course's outline. `duration_s` is null where there is no video that is ready."""

    duration_s = serializers.SerializerMethodField()

    class Meta:
        model = Lesson
        fields = ["id", "title", "position", "duration_s", "is_preview", "kind"]

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_duration_s(self, lesson: Any) -> float | None:
        duration_s: float | None = getattr(lesson, "duration_s", None)
        return None if duration_s is None else round(duration_s, 3)


class AuthoredLesson(LessonLine):
    class Meta(LessonLine.Meta):
        fields = [*LessonLine.Meta.fields, "body"]


class SectionOutline(serializers.ModelSerializer[Section]):
    lessons = LessonLine(many=True, read_only=True)

    class Meta:
        model = Section
        fields = ["id", "title", "position", "lessons"]


class CoursePage(CourseCard):
    sections = SectionOutline(many=True, read_only=True)

    class Meta(CourseCard.Meta):
        fields = [*CourseCard.Meta.fields, "description", "sections"]


class CategoryField(serializers.SlugRelatedField[Category]):
    """A category by its slug; null takes it away, an empty text does not."""

    def run_validation(self, data: Any = empty) -> Any:
        if data == "":
            self.fail("invalid")
        return super().run_validation(data)


class CourseChange(serializers.ModelSerializer[Course]):
    """What an author may say of a course; its address is chosen once."""

    category = CategoryField(slug_field="slug", queryset=Category.objects.all(), allow_null=True, required=False)

    class Meta:
        model = Course
        fields = ["title", "summary", "description", "price", "category", "level", "language"]


class CourseCreation(CourseChange):
    slug = serializers.SlugField(required=False, max_length=80)

    class Meta(CourseChange.Meta):
        fields = ["slug", *CourseChange.Meta.fields]


class SectionChange(serializers.ModelSerializer[Section]):
    position = serializers.IntegerField(required=False, min_value=1, max_value=10_000)

    class Meta:
        model = Section
        fields = ["title", "position"]


class LessonChange(serializers.ModelSerializer[Lesson]):
    position = serializers.IntegerField(required=False, min_value=1, max_value=10_000)

    class Meta:
        model = Lesson
        fields = ["title", "position", "body", "is_preview"]


class LessonCreation(LessonChange):
    kind = serializers.ChoiceField(choices=Lesson.Kind.choices)

    class Meta(LessonChange.Meta):
        fields = [*LessonChange.Meta.fields, "kind"]


class LessonVideo(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["none", "queued", "processing", "ready", "failed"])
    playable = serializers.BooleanField()


class CaptionLine(serializers.Serializer[Any]):
    language = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name hides Field.label, as DRF allows


class LessonPage(LessonLine):
    """What somebody who may open the lesson gets. Articles are Markdown source."""

    course = serializers.SlugField(source="section.course.slug")
    video = LessonVideo()
    captions = CaptionLine(many=True)
    attachments = AttachmentLine(many=True)
    position_s = serializers.FloatField(source="standing.position_s", help_text="Where you were last.")
    completed = serializers.BooleanField(source="standing.completed")

    class Meta(LessonLine.Meta):
        fields = [
            "id",
            "course",
            "title",
            "body",
            "kind",
            "duration_s",
            "is_preview",
            "video",
            "captions",
            "attachments",
            "position_s",
            "completed",
        ]  # fmt: skip  as above
