"""Videos, packages and captions in the admin site: to be read; what failed can be tried again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from config.model_admin import ReadOnlyModelAdmin
from media import actions
from media.errors import NothingToRetry
from media.models import Caption, Package, VideoAsset


@admin.register(VideoAsset)
class VideoAssetAdmin(ReadOnlyModelAdmin):
    list_display = ["lesson", "course", "status", "percent", "attempts", "error", "uploaded_by", "created_at"]
    list_filter = ["status"]
    list_select_related = ["lesson__section__course", "uploaded_by"]
    search_fields = ["id__exact", "lesson__title", "lesson__section__course__title"]
    ordering = ["-id"]  # version 7: newest first
    actions = ["retry"]

    @admin.display(ordering="lesson__section__course__title")
    def course(self, asset: VideoAsset) -> str:
        return str(asset.lesson.section.course)

    @admin.display(description="progress", ordering="progress")
    def percent(self, asset: VideoAsset) -> str:
        return f"{asset.progress} %"

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("courses.manage_all")

    @admin.action(description="Package again what failed", permissions=["retry"])
    def retry(self, request: HttpRequest, assets: QuerySet[VideoAsset]) -> None:
        for asset in assets:
            try:
                actions.do_retry(asset)
            except NothingToRetry:
                self.message_user(request, f"The {asset} has not failed.", messages.WARNING)
            else:
                self.message_user(request, f"The {asset} is queued.", messages.SUCCESS)


@admin.register(Package)
class PackageAdmin(ReadOnlyModelAdmin):
    list_display = ["lesson", "course", "is_current", "duration_s", "width", "height", "size_bytes", "created_at"]
    list_filter = ["is_current"]
    list_select_related = ["lesson__section__course"]
    search_fields = ["id__exact", "path", "lesson__title"]
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
