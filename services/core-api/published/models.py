"""Other services' published views, readable here (deploy/contracts.md). Django makes no tables for them."""

from __future__ import annotations

from django.db import models


class PlaybackSession(models.Model):
    """`stream_published.playback_session`: who is playing what. PostgreSQL only."""

    playback_id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(
        "accounts.User", on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )
    # Null: as far as a join is concerned. The number of a lesson that was deleted stays, and so does who watched it.
    lesson = models.ForeignKey(
        "courses.Lesson", on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )
    kind = models.CharField(max_length=12)
    started_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=40)
    client_address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300)
    active_s = models.IntegerField()

    class Meta:
        managed = False
        db_table = (
            'stream_published"."playback_session'  # Django quotes the whole name once, so this reaches the other schema
        )

    def __str__(self) -> str:
        return str(self.playback_id)


class Upload(models.Model):
    """`stream_published.upload`: what somebody is uploading, or has uploaded for a lesson to take. PostgreSQL only."""

    id = models.UUIDField(primary_key=True)
    owner = models.ForeignKey(
        "accounts.User", on_delete=models.DO_NOTHING, db_column="owner", db_constraint=False, related_name="+"
    )
    size = models.BigIntegerField()
    finished_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    metadata = models.TextField()

    class Meta:
        managed = False
        db_table = 'stream_published"."upload'  # as above

    def __str__(self) -> str:
        return str(self.id)
