"""Playback sessions, which are stream-gateway's, in core's admin site: who watched what from where. Absent on SQLite."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import connection
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone

from config.confirmation import ReasonForm, confirmed
from config.ids import earliest_uuid7
from config.model_admin import ReadOnlyModelAdmin
from config.requests import person
from published.actions import do_end_playback
from published.models import PlaybackSession, Upload
from published.queries import said, watermark_owner


class PlayingNow(admin.SimpleListFilter):
    title = "state"
    parameter_name = "playing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Playing now"), ("no", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PlaybackSession]) -> QuerySet[PlaybackSession]:
        return queryset if self.value() is None else queryset.filter(ended_at__isnull=self.value() == "yes")


class Started(admin.SimpleListFilter):
    """By the ids' index: a session's id holds the time at which it began."""

    title = "started"
    parameter_name = "started"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Within a day"), ("7", "Within 7 days"), ("30", "Within 30 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PlaybackSession]) -> QuerySet[PlaybackSession]:
        if self.value() not in ("1", "7", "30"):
            return queryset
        since = timezone.now() - timedelta(days=int(str(self.value())))
        return queryset.filter(pk__gte=earliest_uuid7(since))


class PlaybackSessionAdmin(ReadOnlyModelAdmin):
    list_display = (
        *("person", "watched_lesson", "course", "kind", "started_at", "last_seen_at", "watched", "ended_at"),
        *("end_reason", "client_address"),
    )
    list_filter = (PlayingNow, Started, "kind", "end_reason")
    search_fields = ("lesson__title", "=client_address")
    search_people = ("user",)
    search_ids = ("pk", "user", "lesson")
    search_help_text = "A person, a lesson, an address, an id, or the code of a watermark that a recording shows."
    ordering = ("-playback_id",)  # version 7: newest first, by the primary key
    actions = ("end_playback",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlaybackSession]:
        """With the lesson, or None where it was deleted: asked for later, one that is gone would be an error."""
        return super().get_queryset(request).select_related("user", "lesson__section__course")

    @admin.display(description="user", ordering="user__username")
    def person(self, playback: PlaybackSession) -> str:
        return str(playback.user) if playback.user_id else "somebody watching a preview"

    @admin.display(description="lesson", ordering="lesson__title")
    def watched_lesson(self, playback: PlaybackSession) -> str:
        return str(playback.lesson or f"a deleted lesson ({playback.lesson_id})")

    @admin.display(ordering="lesson__section__course__title")
    def course(self, playback: PlaybackSession) -> str:
        return str(playback.lesson.section.course) if playback.lesson else ""

    @admin.display(description="watched", ordering="active_s")
    def watched(self, playback: PlaybackSession) -> str:
        """The time in which the player asked for files, as hours, minutes and seconds."""
        return str(timedelta(seconds=playback.active_s))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PlaybackSession], search_term: str
    ) -> tuple[QuerySet[PlaybackSession], bool]:
        """A watermark's code finds the one playback whose picture carried it, and the page says when that was."""
        if (found := watermark_owner(search_term)) is None:
            return super().get_search_results(request, queryset, search_term)
        shown = f"{found.shown_from:%Y-%m-%d from %H:%M:%S} to {found.shown_until:%H:%M:%S} UTC"
        messages.info(request, f"The watermark {search_term.strip()} was shown on {shown}.")
        return queryset.filter(pk=found.playback_id), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return _missing(request, "playback_session") or super().changelist_view(request, extra_context)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("published.change_playbacksession")

    def described(self, obj: PlaybackSession) -> str:
        return f"{self.person(obj)}: {self.watched_lesson(obj)}, since {obj.started_at:%Y-%m-%d %H:%M} UTC"

    def is_worth_offering(self, action: str, obj: PlaybackSession) -> bool:
        return obj.ended_at is None

    @confirmed("End playback", "It stops within a second. They can start anew.", permission="end", form=ReasonForm)
    def end_playback(self, request: HttpRequest, playback: PlaybackSession, given: dict[str, Any]) -> str:
        done = do_end_playback(playback, person(request), given["reason"])
        return f"{self.described(playback)}: ended." if done else f"{self.described(playback)}: it was over already."


class UploadState(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("coming", "Coming"), ("whole", "Whole, in no lesson"), ("taken", "A lesson's video")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Upload]) -> QuerySet[Upload]:
        chosen = {
            "coming": Q(finished_at__isnull=True),
            "whole": Q(finished_at__isnull=False, taken_at__isnull=True),
            "taken": Q(taken_at__isnull=False),
        }.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen)


class UploadAdmin(ReadOnlyModelAdmin):
    """What people upload for lessons. How far an unfinished one is stands with stream-gateway's file alone."""

    list_display = ("owner", "file", "megabytes", "state", "created_at", "finished_at", "taken_at")
    fields = ("id", *list_display)
    list_filter = (UploadState,)
    list_select_related = ("owner",)
    search_people = ("owner",)
    search_ids = ("pk", "owner")
    search_help_text = "A person, or an id: of an upload, which is also that of the video that it became."
    ordering = ("-id",)  # version 7: newest first, by the primary key

    @admin.display(description="file")
    def file(self, upload: Upload) -> str:
        return said(upload.metadata).get("said_filename", "")

    @admin.display(description="size", ordering="size")
    def megabytes(self, upload: Upload) -> str:
        return filesizeformat(upload.size)

    @admin.display(description="state")
    def state(self, upload: Upload) -> str:
        if upload.taken_at:
            return "a lesson's video"
        return "whole, in no lesson" if upload.finished_at else "coming"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return _missing(request, "upload") or super().changelist_view(request, extra_context)


def _missing(request: HttpRequest, view: str) -> HttpResponse | None:
    """The way back, where stream-gateway's view is not there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"stream_published.{view}"])
        if cursor.fetchone()[0]:
            return None
    what = view.replace("_", " ")
    messages.warning(request, f"stream-gateway has published no {what}s yet: its migrations have not been run here.")
    return HttpResponseRedirect(reverse("admin:index"))


if settings.ON_POSTGRES:
    admin.site.register(PlaybackSession, PlaybackSessionAdmin)
    admin.site.register(Upload, UploadAdmin)
