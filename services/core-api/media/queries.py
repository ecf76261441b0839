"""How far the videos of lessons are."""

from __future__ import annotations

from django.db.models import FloatField, OuterRef, QuerySet, Subquery

from accounts.models import User
from courses.models import Lesson
from media.models import Package, VideoAsset
from privacy.sections import Section, rows

NO_VIDEO = "none"


def newest_asset(lesson: Lesson) -> VideoAsset | None:
    return lesson.video_assets.order_by("-created_at", "-id").first()


def video_state(lesson: Lesson) -> dict[str, object]:
    """What a viewer meets, as in published.lesson: ready as long as there is a package, also while another is being made."""
    if lesson.packages.filter(is_current=True).exists():
        return {"status": VideoAsset.Status.READY, "playable": True}
    asset = newest_asset(lesson)
    return {"status": asset.status if asset else NO_VIDEO, "playable": False}


def durations() -> Subquery:
    """Seconds of a lesson's current video, as an annotation of a query of lessons; null without one."""
    current = Package.objects.filter(lesson=OuterRef("pk"), is_current=True)
    return Subquery(current.values("duration_s")[:1], output_field=FloatField(null=True))


def current_packages(course: OuterRef) -> QuerySet[Package]:
    return Package.objects.filter(lesson__section__course=course, is_current=True)


def held_about(user: User) -> list[Section]:
    """For the person's export."""
    shown = rows(
        VideoAsset.objects.filter(uploaded_by=user).order_by("created_at"),
        *("id", "status", "created_at"),
        lesson="lesson__title",
    )
    return [Section("uploaded_videos", "Videos that you uploaded.", shown, ("media.VideoAsset",))]
