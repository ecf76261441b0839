"""The page on which anybody checks a certificate: its QR code leads here."""

from __future__ import annotations

import segno
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.permissions import declares
from config.problems import Problem
from learning.certificates import find_certificate, page_of
from learning.codes import readable


@declares("public")
@require_safe
def certificate(request: HttpRequest, code: str) -> HttpResponse:
    try:
        found = find_certificate(code)
    except Problem as problem:
        return _page(request, problem.status, problem=problem)
    qr_code = segno.make(page_of(found), micro=False).svg_data_uri(scale=4, light="white")
    return _page(request, 200, certificate=found, code=readable(found.code), qr_code=qr_code)


def _page(request: HttpRequest, status: int, **shown: object) -> HttpResponse:
    page = render(request, "learning/certificate.html", shown, status=status)
    page["Cache-Control"] = "no-store"  # it may be revoked, and its person erased
    return page
