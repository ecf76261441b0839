"""Courses, their sections and lessons."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, When
from django.db.models.functions import Cast
from django.utils import timezone

from config.ids import uuid7
from courses.languages import validate_language

MAX_PRICE = 1_000_000  # credits
MAX_DRIP_DAYS = 3650
MAX_ACCESS_DAYS = 3650
ONE_END = "Say when access ends in one way: after days, or at a time."


class Terms(models.Model):
    """For how long who buys it has it: for so many days, until a moment, or without an end."""

    access_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="For how many days from the purchase. Empty: no end, or the one below.",
        validators=[MinValueValidator(1), MaxValueValidator(MAX_ACCESS_DAYS)],
    )
    access_until = models.DateTimeField(null=True, blank=True, help_text="Until when, whenever it is bought.")

    class Meta:
        abstract = True

    def ends_at(self, bought_at: datetime) -> datetime | None:
        """When access by a purchase at that time ends; None: never."""
        return self.access_until if self.access_days is None else bought_at + timedelta(days=self.access_days)


def one_end(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=models.Q(access_days__isnull=True)
        | models.Q(access_days__range=(1, MAX_ACCESS_DAYS), access_until__isnull=True),
        name=name,
        violation_error_message=ONE_END,
    )


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


class Course(Terms):
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
    # Of the reviews that everybody sees; learning.reviews keeps them.
    ratings_count = models.PositiveIntegerField(default=0, editable=False)
    ratings_sum = models.PositiveIntegerField(default=0, editable=False)
    rating = models.GeneratedField(
        expression=Case(When(ratings_count__gt=0, then=Cast("ratings_sum", models.FloatField()) / F("ratings_count"))),
        output_field=models.FloatField(null=True),
        db_persist=True,
    )

    class Meta:
        permissions = [("manage", "Manage own courses"), ("manage_all", "Manage all courses")]
        constraints = [
            models.CheckConstraint(condition=models.Q(price__lte=MAX_PRICE), name="course_price_bounded"),
            one_end("course_access_ends_in_one_way"),
            models.CheckConstraint(
                condition=models.Q(ratings_sum__gte=F("ratings_count"), ratings_sum__lte=5 * F("ratings_count")),
                name="course_ratings_are_one_to_five",
            ),
        ]
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

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Django leaves out a constraint of which a form does not show each column: on a section's page the day it opens on."""
        super().validate_constraints(exclude=set(exclude or ()) - {"opens_on"})


class Bundle(Terms):
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
        constraints = [
            models.CheckConstraint(condition=models.Q(price__lte=MAX_PRICE), name="bundle_price_bounded"),
            one_end("bundle_access_ends_in_one_way"),
        ]

    def __str__(self) -> str:
        return self.title
