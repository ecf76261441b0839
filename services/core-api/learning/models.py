"""Who may learn what, since when, until when, and why."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.ids import uuid7
from courses.models import Course, Lesson
from learning.codes import CODE_LENGTH, new_code


class Enrolment(models.Model):
    """One reason for which a person has a course. Two reasons are two rows: access lasts until the last of them ends."""

    class Source(models.TextChoices):
        ORDER = "order"
        GRANT = "grant"
        BUNDLE = "bundle"
        FREE = "free"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="enrolments")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="enrolments")
    source = models.CharField(max_length=8, choices=Source)
    order_line = models.OneToOneField(
        "wallet.OrderLine", on_delete=models.PROTECT, null=True, blank=True, related_name="enrolment"
    )
    started_at = models.DateTimeField(default=timezone.now)
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: no end.")
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            # Buying twice, at once or later, is stopped here whatever the code above does.
            models.UniqueConstraint(
                fields=["user", "course"],
                condition=Q(ended_at__isnull=True, source__in=["order", "bundle", "free"]),
                name="enrolment_bought_once",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["order", "bundle", "free"], order_line__isnull=False)
                | Q(source="grant", order_line__isnull=True),
                name="enrolment_source_matches_order_line",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "course"], condition=Q(ended_at__isnull=True), name="enrolment_running")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.course}"


class CourseProgress(models.Model):
    """How one person gets on with one course."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="+")
    allowance_ms = models.PositiveBigIntegerField(
        help_text="Video that could have been watched by then: learning.pace."
    )
    allowance_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When all lessons were completed first.")

    class Meta:
        verbose_name_plural = "course progress"
        constraints = [models.UniqueConstraint(fields=["user", "course"], name="course_progress_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.course}"


class LessonProgress(models.Model):
    """What one person has watched of one lesson, where they are in it, and whether they have completed it.

    `watched` is a set of milliseconds (learning.intervals): JSON, and merged by one function on every database, where
    PostgreSQL's multirange would need another one on SQLite. `position_at` is the clock of the device that was there last.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE, related_name="+")
    watched = models.JSONField(default=list, help_text="[[from, to], …] in milliseconds.")
    position_ms = models.PositiveBigIntegerField(default=0)
    position_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "lesson progress"
        constraints = [models.UniqueConstraint(fields=["user", "lesson"], name="lesson_progress_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.lesson}"


class Certificate(models.Model):
    """That somebody has completed a course, in the names of that day. Who has its code may check it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(max_length=CODE_LENGTH, unique=True, default=new_code, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="certificates", db_index=False
    )
    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="certificates")
    name = models.CharField(max_length=100, help_text="What the person was called.")
    title = models.CharField(max_length=200, help_text="What the course was called.")
    completed_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoke_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "course"], name="certificate_once")]

    def __str__(self) -> str:
        return f"certificate of {self.user} for {self.title}"


class Review(models.Model):
    """What somebody who has a course says of it. Hidden ones are their author's to see, and count nowhere."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reviews", db_index=False)
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="reviews", db_index=False)
    rating = models.PositiveSmallIntegerField(help_text="1 to 5.")
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    hidden_at = models.DateTimeField(null=True, blank=True)
    hide_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "course"], name="review_once"),
            models.CheckConstraint(condition=Q(rating__range=(1, 5)), name="review_rating_one_to_five"),
        ]
        indexes = [models.Index(fields=["course", "-id"], name="review_of_course_newest")]

    def __str__(self) -> str:
        return f"review of {self.course} by {self.user}"
