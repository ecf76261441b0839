"""What the proofs of the books leave behind."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from config.ids import uuid7


class HeadsKey(models.Model):
    """The Ed25519 key pair that signs exported wallet heads, and nothing else. Its private half is sealed."""

    public = models.CharField(primary_key=True, max_length=43, help_text="The 32 bytes of RFC 8032, base64url.")
    private_sealed = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()  # nobody's to see

    def __str__(self) -> str:
        return self.public


class Reconciliation(models.Model):
    """One run of the nightly proof."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(default=timezone.now)
    postings = models.BigIntegerField(help_text="How many were checked.")
    differences = models.PositiveIntegerField()
    sentences = models.JSONField(default=list, help_text="The first of the differences, each as a sentence.")

    class Meta:
        default_permissions = ("view",)
        permissions = [("reports", "Read the books: statements, journal, trial balance")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}: {self.differences or 'no'} differences"
