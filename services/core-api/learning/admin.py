"""Enrolments, progress, certificates and reviews in the admin site. What staff do to them are actions, each with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from config.confirmation import ReasonForm, confirmed
from config.model_admin import ReadOnlyModelAdmin
from config.requests import person
from learning import certificates, intervals, reviews
from learning.certificates import page_of
from learning.forms import UntilForm
from learning.grants import do_extend, do_revoke
from learning.models import Certificate, CourseProgress, Enrolment, LessonProgress, Review


def progress_links(request: HttpRequest, user: Any) -> list[tuple[str, str]]:
    """To what a person has watched."""
    if not request.user.has_perm("learning.view_lessonprogress"):
        return []
    return [("Progress", f"{reverse('admin:learning_lessonprogress_changelist')}?q={user}")]


class EndReasonFilter(admin.AllValuesFieldListFilter):
    """Most have none, which would be a link without a word."""

    def choices(self, changelist: Any) -> Any:
        return [choice | {"display": choice["display"] or "none"} for choice in super().choices(changelist)]


@admin.register(Enrolment)
class EnrolmentAdmin(ReadOnlyModelAdmin):
    list_display = ["user", "course", "source", "started_at", "valid_until", "ended_at", "end_reason"]
    list_filter = ["source", ("ended_at", admin.EmptyFieldListFilter), ("end_reason", EndReasonFilter)]
    list_select_related = ["user", "course"]
    search_fields = ["course__title"]
    search_people = ("user",)
    search_ids = ("pk", "user", "course")
    ordering = ["-id"]  # version 7: newest first
    fields = ["user", "course", "source", "order_line", "started_at", "valid_until", "ended_at", "end_reason"]
    actions = ["revoke", "extend"]

    def described(self, obj: Enrolment) -> str:
        until = f"until {obj.valid_until:%Y-%m-%d %H:%M} UTC" if obj.valid_until else "no end"
        ended = f", ended on {obj.ended_at:%Y-%m-%d}" if obj.ended_at else ""
        return f"{obj} ({obj.get_source_display().lower()}, {until}{ended})"

    def links(self, request: HttpRequest, obj: Enrolment) -> list[tuple[str, str]]:
        return [*super().links(request, obj), *progress_links(request, obj.user_id)]

    def is_worth_offering(self, action: str, obj: Enrolment) -> bool:
        return obj.ended_at is None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("learning.add_enrolment") and request.user.has_perm("accounts.view_user")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        messages.info(request, "Choose the people here, then “Grant a course …” from the list of actions.")
        return HttpResponseRedirect(reverse("admin:accounts_user_changelist"))

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("learning.change_enrolment")

    @confirmed(
        "Revoke",
        "This enrolment ends, and with it what they are watching, within a second. No credit moves: to give it back, "
        "refund the order instead. If they have the course for another reason as well, they keep it.",
        permission="revoke",
        form=ReasonForm,
    )
    def revoke(self, request: HttpRequest, enrolment: Enrolment, given: dict[str, Any]) -> str:
        done = do_revoke(enrolment.pk, person(request), given["reason"])
        return f"{enrolment}: ended." if done else f"{enrolment}: it had ended already."

    @confirmed("Extend", "They keep the course for longer, and pay nothing.", permission="revoke", form=UntilForm)
    def extend(self, request: HttpRequest, enrolment: Enrolment, given: dict[str, Any]) -> str:
        done = do_extend(enrolment.pk, person(request), given["reason"], given["valid_until"])
        until = f"until the end of {given['last_day']}" if given["last_day"] else "without an end"
        return f"{enrolment}: {until}." if done else f"{enrolment}: {until} already."


@admin.register(CourseProgress)
class CourseProgressAdmin(ReadOnlyModelAdmin):
    list_display = ["user", "course", "completed_at"]
    list_filter = [("completed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user", "course"]
    search_fields = ["course__title"]
    search_people = ("user",)
    search_ids = ("user", "course")
    ordering = ["-id"]
    fields = ["user", "course", "completed_at", "allowance_ms", "allowance_at"]

    def links(self, request: HttpRequest, obj: CourseProgress) -> list[tuple[str, str]]:
        return [*super().links(request, obj), *progress_links(request, obj.user_id)]


@admin.register(LessonProgress)
class LessonProgressAdmin(ReadOnlyModelAdmin):
    list_display = ["user", "lesson", "course", "watched_s", "position_s", "completed_at", "updated_at"]
    list_filter = [("completed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user", "lesson__section__course"]
    search_fields = ["lesson__title"]
    search_people = ("user",)
    search_ids = ("user", "lesson")
    ordering = ["-id"]
    fields = ["user", "lesson", "watched", "watched_s", "position_s", "position_at", "completed_at", "updated_at"]
    readonly_fields = ["watched_s", "position_s"]

    @admin.display
    def course(self, progress: LessonProgress) -> str:
        return str(progress.lesson.section.course)

    @admin.display(description="watched")
    def watched_s(self, progress: LessonProgress) -> str:
        return f"{intervals.length(progress.watched) / 1000:.0f} s"

    @admin.display(description="position")
    def position_s(self, progress: LessonProgress) -> str:
        return f"{progress.position_ms / 1000:.0f} s"


@admin.register(Certificate)
class CertificateAdmin(ReadOnlyModelAdmin):
    list_display = ["name", "title", "user", "completed_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["code", "title"]
    search_people = ("user",)
    search_ids = ("pk", "user", "course")
    ordering = ["-id"]  # version 7: newest first
    fields = ["user", "course", "code", "name", "title", "completed_at", "revoked_at", "revoke_reason"]
    actions = ["revoke", "reinstate"]

    def links(self, request: HttpRequest, obj: Certificate) -> list[tuple[str, str]]:
        return [*super().links(request, obj), ("Public page", page_of(obj))]

    def is_worth_offering(self, action: str, obj: Certificate) -> bool:
        return (obj.revoked_at is None) == (action == "revoke")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("learning.change_certificate")

    @confirmed("Revoke", "Whoever checks it learns that it is not valid.", permission="revoke", form=ReasonForm)
    def revoke(self, request: HttpRequest, certificate: Certificate, given: dict[str, Any]) -> str:
        done = certificates.do_revoke(certificate.pk, person(request), given["reason"])
        return f"{certificate}: revoked." if done else f"{certificate}: it was revoked already."

    @confirmed("Reinstate", "It is valid again.", permission="revoke", form=ReasonForm)
    def reinstate(self, request: HttpRequest, certificate: Certificate, given: dict[str, Any]) -> str:
        done = certificates.do_reinstate(certificate.pk, person(request), given["reason"])
        return f"{certificate}: valid again." if done else f"{certificate}: it was valid."


@admin.register(Review)
class ReviewAdmin(ReadOnlyModelAdmin):
    list_display = ["course", "rating", "user", "created_at", "hidden_at"]
    list_filter = ["rating", ("hidden_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user", "course"]
    search_fields = ["course__title"]
    search_people = ("user",)
    search_ids = ("pk", "user", "course")
    ordering = ["-id"]  # version 7: newest first
    fields = ["user", "course", "rating", "text", "created_at", "updated_at", "hidden_at", "hide_reason"]
    actions = ["hide", "show"]

    def is_worth_offering(self, action: str, obj: Review) -> bool:
        return (obj.hidden_at is None) == (action == "hide")

    def has_hide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("learning.change_review")

    @confirmed("Hide", "Only its author sees it, and its rating does not count.", permission="hide", form=ReasonForm)
    def hide(self, request: HttpRequest, review: Review, given: dict[str, Any]) -> str:
        done = reviews.do_hide(review.pk, person(request), given["reason"])
        return f"{review}: hidden." if done else f"{review}: it was hidden already."

    @confirmed("Show", "Everybody sees it again, and its rating counts.", permission="hide", form=ReasonForm)
    def show(self, request: HttpRequest, review: Review, given: dict[str, Any]) -> str:
        done = reviews.do_show(review.pk, person(request), given["reason"])
        return f"{review}: shown." if done else f"{review}: it was shown."
