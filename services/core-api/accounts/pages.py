"""The two pages that mails link to. The token stands in the fragment of their address, which no server ever sees."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.permissions import declares


@declares("public")
@require_safe
def verify(request: HttpRequest) -> HttpResponse:
    return _page(request, "accounts/verify.html")


@declares("public")
@require_safe
def reset(request: HttpRequest) -> HttpResponse:
    return _page(request, "accounts/reset.html")


def _page(request: HttpRequest, template: str) -> HttpResponse:
    page = render(request, template)
    page["Referrer-Policy"] = "no-referrer"
    page["Cache-Control"] = "no-store"
    return page
