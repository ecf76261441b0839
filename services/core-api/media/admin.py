"""Videos, packages and captions in the admin site: to be read; what failed can be tried again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from config.confirmation import confirmed
from config.model_admin import ReadOnlyModelAdmin
from config.requests import person
from media.actions import do_retry
from media.errors import NothingToRetry
from media.models import Attachment, Caption, Package, VideoAsset


@admin.register(VideoAsset)
class VideoAssetAdmin(ReadOnlyModelAdmin):
    list_display = ["lesson", "course", "status", "percent", "attempts", "error", "uploaded_by", "created_at"]
    list_filter = ["status"]
    list_select_related = ["lesson__section__course", "uploaded_by"]
    search_fields = ["lesson__title", "lesson__section__course__title"]
    search_ids = ("pk", "lesson")
    ordering = ["-id"]  # version 7: newest first
    actions = ["retry"]

    @admin.display(ordering="lesson__section__course__title")
    def course(self, asset: VideoAsset) -> str:
        return str(asset.lesson.section.course)

    @admin.display(description="progress", ordering="progress")
    def percent(self, asset: VideoAsset) -> str:
        return f"{asset.progress} %"

    def is_worth_offering(self, action: str, obj: VideoAsset) -> bool:
        return obj.status == VideoAsset.Status.FAILED

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("courses.manage_all")

    @confirmed(
        "Package again", "The video goes back into the queue, with all its attempts before it.", permission="retry"
    )
    def retry(self, request: HttpRequest, asset: VideoAsset, given: dict[str, Any]) -> str:
        try:
            do_retry(asset, person(request))
        except NothingToRetry:
            return f"The {asset} has not failed."
        return f"The {asset} is queued."


@admin.register(Package)
class PackageAdmin(ReadOnlyModelAdmin):
    list_display = ["lesson", "course", "is_current", "duration_s", "width", "height", "size_bytes", "created_at"]
    list_filter = ["is_current"]
    list_select_related = ["lesson__section__course"]
    search_fields = ["path", "lesson__title"]
    search_ids = ("pk", "lesson", "asset")
    ordering = ["-id"]

    @admin.display(ordering="lesson__section__course__title")
    def course(self, package: Package) -> str:
        return str(package.lesson.section.course)


@admin.register(Caption)
class CaptionAdmin(ReadOnlyModelAdmin):
    list_display = ["lesson", "language", "label", "path"]
    list_filter = ["language"]
    list_select_related = ["lesson"]
    search_fields = ["lesson__title"]
    ordering = ["lesson__title", "language"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("media.delete_caption")


@admin.register(Attachment)
class AttachmentAdmin(ReadOnlyModelAdmin):
    list_display = ["name", "lesson", "course", "content_type", "size_bytes", "created_at"]
    list_select_related = ["lesson__section__course"]
    search_fields = ["name", "lesson__title"]
    search_ids = ("pk", "lesson")
    ordering = ["-id"]  # version 7: newest first

    @admin.display(ordering="lesson__section__course__title")
    def course(self, attachment: Attachment) -> str:
        return str(attachment.lesson.section.course)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("media.delete_attachment")
