"""Mail to people: kept until it is sent."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from config.ids import uuid7


class Mail(models.Model):
    """One message to one person. Without EMAIL_URL it waits here, for an admin to read out.

    Its text may hold a link that is worth a log-in: it is forgotten as soon as the mail is sent.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"  # often enough; an admin may have it sent again

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mails")
    kind = models.CharField(max_length=40, help_text="What it is about: password_reset, token_reused …")
    to = models.EmailField(max_length=254)
    subject = models.CharField(max_length=150)
    text = models.TextField()
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view", "change")  # change: have it sent again
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=models.Q(status="waiting"), name="mail_waiting"),
            models.Index(fields=["created_at"], name="mail_created"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.user}"
