"""Courses, their sections and lessons."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from config.ids import uuid7
from courses.languages import validate_language

MAX_PRICE = 1_000_000  # credits
MAX_DRIP_DAYS = 3650


class Category(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=40)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Course(models.Model):
    class Level(models.TextChoices):
        BEGINNER = "beginner"
        INTERMEDIATE = "intermediate"
        ADVANCED = "advanced"

    class Status(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        WITHDRAWN = "withdrawn"  # no longer sold; who has it keeps it

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=80, unique=True)
    title = models.CharField(max_length=200)
    summary = models.CharField(max_length=300, blank=True)
    description = models.TextField(blank=True)
    price = models.PositiveIntegerField(help_text="In credits; 0 is free.", validators=[MaxValueValidator(MAX_PRICE)])
    category = models.ForeignKey(Category, on_delete=models.PROTECT, null=True, blank=True, related_name="courses")
    level = models.CharField(max_length=12, choices=Level, default=Level.BEGINNER)
    language = models.CharField(
        max_length=12,
        default="en",
        help_text="An IETF language tag such as en or pt-BR.",
        validators=[validate_language],
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="courses")
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    poster = models.CharField(max_length=200, blank=True, editable=False, help_text="Below LECTERN_MEDIA_ROOT.")
    instructors = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="courses_taught")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        permissions = [("manage", "Manage own courses"), ("manage_all", "Manage all courses")]
        constraints = [models.CheckConstraint(condition=models.Q(price__lte=MAX_PRICE), name="course_price_bounded")]
        indexes = [  # one for each order of the catalogue
            models.Index(fields=["status", "-published_at", "-id"], name="course_by_date"),
            models.Index(fields=["status", "price", "-id"], name="course_by_price"),
            models.Index(fields=["status", "title", "-id"], name="course_by_title"),
        ]

    def __str__(self) -> str:
        return self.title


class Section(models.Model):
    """A part of a course, in which it stays. Positions count from 1; where two are equal, the older row comes first."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="sections")
    title = models.CharField(max_length=200)
    position = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.title


class Lesson(models.Model):
    """A lesson stays in its course. It is open to who has the course, at once or later: on a day, or some days after
    the enrolment by which they have it began. A free preview is open to everybody."""

    class Kind(models.TextChoices):
        VIDEO = "video"
        ARTICLE = "article"
        FILE = "file"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    section = models.ForeignKey(Section, on_delete=models.CASCADE, related_name="lessons")
    title = models.CharField(max_length=200)
    position = models.PositiveIntegerField(default=1)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.VIDEO)
    body = models.TextField(blank=True)
    is_preview = models.BooleanField("free preview", default=False)
    opens_on = models.DateTimeField(null=True, blank=True, help_text="Closed to everybody until then. Empty: open.")
    opens_after_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Days after enrolment. Empty: open at once.",
        validators=[MinValueValidator(1), MaxValueValidator(MAX_DRIP_DAYS)],
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(opens_on__isnull=True, opens_after_days__isnull=True)
                | models.Q(models.Q(opens_on__isnull=True) | models.Q(opens_after_days__isnull=True), is_preview=False),
                name="lesson_opens_in_one_way",
                violation_error_message="Say when the lesson opens in one way: as a free preview, on a day, or after days.",
            ),
            models.CheckConstraint(
                condition=models.Q(opens_after_days__isnull=True)
                | models.Q(opens_after_days__range=(1, MAX_DRIP_DAYS)),
                name="lesson_opens_within_years",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Bundle(models.Model):
    """Courses sold together at a price of their own. It is on sale while it and all of its courses are published."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=80, unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    price = models.PositiveIntegerField(
        help_text="In credits, for all of its courses; who has some of them already pays the others' share alone.",
        validators=[MaxValueValidator(MAX_PRICE)],
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    courses = models.ManyToManyField(Course, related_name="bundles")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(price__lte=MAX_PRICE), name="bundle_price_bounded")]

    def __str__(self) -> str:
        return self.title
