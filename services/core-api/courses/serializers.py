"""Shapes of courses, sections and lessons, as deploy/api.md fixes them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from accounts.models import User
from courses.articles import as_html
from courses.models import ONE_END, Category, Course, Lesson, Section, Tag
from media.serializers import AttachmentLine, PosterOfCourse

MAX_BODY = 200_000  # characters of an article
MAX_TAGS = 20
UTC_TIME = serializers.DateTimeField()


class TagLine(serializers.ModelSerializer[Tag]):
    class Meta:
        model = Tag
        fields = ["slug", "name"]


class Teacher(serializers.ModelSerializer[User]):
    """An instructor, as everybody sees them."""

    name = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["username", "name"]

    def get_name(self, teacher: User) -> str:
        return teacher.name or teacher.username


class CourseCard(PosterOfCourse):
    category = serializers.SlugRelatedField[Category](slug_field="slug", read_only=True, allow_null=True)
    rating = serializers.SerializerMethodField(help_text="The mean of its reviews, 1 to 5; null: nobody has rated it.")
    tags = TagLine(many=True, read_only=True)
    instructors = Teacher(many=True, read_only=True)
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
            "tags",
            "instructors",
            "status",
            "rating",
            "ratings_count",
            "access_days",
            "access_until",
            "lessons_count",
            "duration_s",
            "poster_url",
            "enrolled",
        ]  # fmt: skip  one a line would hide that this is the order of deploy/api.md

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_rating(self, course: Course) -> float | None:
        return None if course.rating is None else round(course.rating, 2)

    @extend_schema_field(serializers.FloatField())
    def get_duration_s(self, course: Any) -> float:
        duration_s: float = course.duration_s
        return round(duration_s, 3)


class LessonLine(serializers.ModelSerializer[Lesson]):
    """A lesson in a course's outline. `duration_s` is null where there is no video that is ready."""

    duration_s = serializers.SerializerMethodField()
    opens_at = serializers.SerializerMethodField(
        help_text="When it opens to you; null: it is open to who has the course, or opens `opens_after_days` after enrolment."
    )

    class Meta:
        model = Lesson
        fields = ["id", "title", "position", "duration_s", "is_preview", "kind", "opens_at", "opens_after_days"]

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_opens_at(self, lesson: Any) -> Any:
        return UTC_TIME.to_representation(getattr(lesson, "opens_at", lesson.opens_on))

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_duration_s(self, lesson: Any) -> float | None:
        duration_s: float | None = getattr(lesson, "duration_s", None)
        return None if duration_s is None else round(duration_s, 3)


class AuthoredLesson(LessonLine):
    class Meta(LessonLine.Meta):
        fields = [*LessonLine.Meta.fields, "opens_on", "body"]


class SectionOutline(serializers.ModelSerializer[Section]):
    lessons = LessonLine(many=True, read_only=True)

    class Meta:
        model = Section
        fields = ["id", "title", "position", "lessons"]


class CoursePage(CourseCard):
    """`description` is Markdown, `description_html` the same as HTML that is safe to show."""

    description_html = serializers.SerializerMethodField()
    sections = SectionOutline(many=True, read_only=True)

    class Meta(CourseCard.Meta):
        fields = [*CourseCard.Meta.fields, "description", "description_html", "sections"]

    def get_description_html(self, course: Course) -> str:
        return as_html(course.description)


class CategoryField(serializers.SlugRelatedField[Category]):
    """A category by its slug; null takes it away, an empty text does not."""

    def run_validation(self, data: Any = empty) -> Any:
        if data == "":
            self.fail("invalid")
        return super().run_validation(data)


class TagsField(serializers.ListField):
    """Tags that there are, by their slugs; course managers make new ones in the admin site."""

    def to_internal_value(self, data: Any) -> list[Tag]:
        slugs = super().to_internal_value(data)
        found = {tag.slug: tag for tag in Tag.objects.filter(slug__in=slugs)}
        if unknown := [slug for slug in slugs if slug not in found]:
            raise serializers.ValidationError(f"There is no such tag: {', '.join(unknown)}.")
        return list(found.values())

    def to_representation(self, tags: Any) -> list[str]:
        return [tag.slug for tag in tags.all()]


class CourseChange(serializers.ModelSerializer[Course]):
    """What an author may say of a course; its address is chosen once."""

    category = CategoryField(slug_field="slug", queryset=Category.objects.all(), allow_null=True, required=False)

    tags = TagsField(child=serializers.SlugField(), required=False, max_length=MAX_TAGS)

    class Meta:
        model = Course
        fields = [
            *("title", "summary", "description", "price", "access_days", "access_until"),
            *("category", "level", "language", "tags"),
        ]

    def validate(self, body: dict[str, Any]) -> dict[str, Any]:
        days, until = (body.get(name, getattr(self.instance, name, None)) for name in ("access_days", "access_until"))
        if days is not None and until is not None:
            raise serializers.ValidationError({"access_days": [ONE_END]})
        return body


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
    """`body` is Markdown. A lesson opens at once, as a free preview to everybody, on a day, or some days after enrolment."""

    position = serializers.IntegerField(required=False, min_value=1, max_value=10_000)
    body = serializers.CharField(required=False, allow_blank=True, max_length=MAX_BODY, trim_whitespace=False)

    class Meta:
        model = Lesson
        fields = ["title", "position", "body", "is_preview", "opens_on", "opens_after_days"]


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
    """What somebody who may open the lesson gets. `body` is Markdown, `body_html` the same as HTML that is safe to show."""

    body_html = serializers.SerializerMethodField()
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
            "body_html",
            "kind",
            "duration_s",
            "is_preview",
            "video",
            "captions",
            "attachments",
            "position_s",
            "completed",
        ]  # fmt: skip  as above

    def get_body_html(self, lesson: Lesson) -> str:
        return as_html(lesson.body)
