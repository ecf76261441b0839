"""The books in the admin site: nightly proofs, and from there the trial balance and the journal."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from rest_framework.exceptions import ValidationError

from books.api import csv_file
from books.journal import Period, journal
from books.models import Reconciliation
from books.serializers import PeriodRequest
from books.snapshot import one_snapshot
from books.trial_balance import trial_balance
from config.model_admin import ReadOnlyModelAdmin


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyModelAdmin):
    list_display = ["started_at", "finished_at", "postings", "differences"]
    list_filter = ["differences"]
    search_fields = ["id__exact"]
    ordering = ["-id"]  # version 7: newest first
    fields = ["started_at", "finished_at", "postings", "differences", "told"]
    change_list_template = "books/reconciliations.html"

    @admin.display(description="what differs")
    def told(self, run: Reconciliation) -> str:
        return "\n".join(run.sentences) or "Nothing: every balance is the sum of its postings, every chain is whole."

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("trial-balance/", wrap(self.trial_balance), name="books_trial_balance"),
            path("journal/", wrap(self.journal), name="books_journal"),
        ]
        return [*own, *super().get_urls()]

    def trial_balance(self, request: HttpRequest) -> HttpResponse:
        _require_reports(request)
        period, error = _period(request)
        with one_snapshot():
            lines = trial_balance(before=period.end)
        context = self.admin_site.each_context(request) | {
            "title": "Trial balance",
            "lines": lines,
            "error": error,
            "opts": self.opts,
            "start": request.GET.get("start", ""),
            "end": request.GET.get("end", ""),
        }
        return TemplateResponse(request, "books/trial_balance.html", context)

    def journal(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        _require_reports(request)
        period, error = _period(request)
        return self.trial_balance(request) if error else csv_file(journal(period), "journal")


def _require_reports(request: HttpRequest) -> None:
    if not request.user.has_perm("books.reports"):
        raise PermissionDenied


def _period(request: HttpRequest) -> tuple[Period, str]:
    """The period that the form names, and what is wrong with it."""
    given = {name: value for name, value in request.GET.items() if value}
    try:
        return PeriodRequest.period(given), ""
    except ValidationError:
        return Period(), "That is no period: give days such as 2026-11-01, the first before the second."
