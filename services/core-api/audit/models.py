"""The audit log: who did what to whom, when, from where."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from config.ids import uuid7


class Event(models.Model):
    """One thing that happened. Never changed; deleted only by age (the database refuses anything else).

    It names people and things by their ids alone, without foreign keys: names are looked up when it is read, and an
    erased person leaves nothing here but a number. `address` is what security needs to keep for a year.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30, help_text="One of audit.kinds.Kind.")  # no choices: kinds need no migration
    actor_id = models.UUIDField(null=True, help_text="Who did it; nobody: the system, or a stranger.")
    subject_type = models.CharField(max_length=60, blank=True, help_text="app.model of what it was done to.")
    subject_id = models.CharField(max_length=60, blank=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["actor_id", "id"], name="audit_actor"),
            models.Index(fields=["subject_type", "subject_id", "id"], name="audit_subject"),
            models.Index(fields=["kind", "id"], name="audit_kind"),
            models.Index(fields=["at"], name="audit_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M:%S}"
