"""Videos: what was uploaded, and the package that packaging made of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from config.ids import uuid7
from courses.languages import validate_language
from courses.models import Lesson


class VideoAsset(models.Model):
    """One uploaded source video of a lesson, and how far its packaging is."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        PROCESSING = "processing"
        READY = "ready"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE, related_name="video_assets")
    source = models.CharField(max_length=300, help_text="Path below LECTERN_UPLOADS_ROOT.")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Per cent.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often packaging was begun.")
    failures = models.PositiveSmallIntegerField(default=0, help_text="How often it failed, rather than being cut off.")
    error = models.CharField(max_length=500, blank=True, help_text="Why packaging failed, for the author.")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        permissions = [("watch_any", "Watch every video")]
        constraints = [
            models.CheckConstraint(condition=models.Q(progress__lte=100), name="video_asset_progress_percent")
        ]

    def __str__(self) -> str:
        return f"video of {self.lesson}"


class Package(models.Model):
    """What packaging made of one asset; never changed afterwards. The current one of a lesson is what new viewers get."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # RESTRICT: an asset is not deleted under its package, but both go with their lesson.
    asset = models.OneToOneField(VideoAsset, on_delete=models.RESTRICT, related_name="package")
    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE, related_name="packages")
    # Not unique: the copy of a course shows the same files, which stay as long as any row names them.
    path = models.CharField(max_length=200, db_index=True, help_text="Below LECTERN_MEDIA_ROOT.")
    duration_s = models.FloatField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size_bytes = models.PositiveBigIntegerField()
    is_current = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lesson"], condition=models.Q(is_current=True), name="package_one_current_per_lesson"
            ),
            models.CheckConstraint(condition=models.Q(duration_s__gt=0), name="package_has_duration"),
        ]

    def __str__(self) -> str:
        return self.path


class Caption(models.Model):
    """One WebVTT file of a lesson in one language."""

    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE, related_name="captions")
    language = models.CharField(
        max_length=12, help_text="An IETF language tag such as en or pt-BR.", validators=[validate_language]
    )
    label = models.CharField(max_length=60)
    path = models.CharField(max_length=200, help_text="Below LECTERN_MEDIA_ROOT.")

    class Meta:
        ordering = ["language"]
        constraints = [models.UniqueConstraint(fields=["lesson", "language"], name="caption_one_per_language")]

    def __str__(self) -> str:
        return f"{self.label} captions of {self.lesson}"


class Attachment(models.Model):
    """A file of a lesson, to be downloaded by those who may open the lesson. Never changed: another file is another row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=150, help_text="What a download is called.")
    content_type = models.CharField(max_length=100)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    path = models.CharField(max_length=200, help_text="Below LECTERN_MEDIA_ROOT; copies of a course share it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]  # version 7: as they were added

    def __str__(self) -> str:
        return self.name


class Leftover(models.Model):
    """A file, or a folder of files, that no row refers to; removed a week after it was noticed (media/leftovers.py)."""

    path = models.CharField(max_length=300, unique=True)
    noticed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.path
