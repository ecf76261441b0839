"""The page that ends mails about unread messages. It needs no log-in and no script: mail programs post to it, too (RFC 8058)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.actions import want_chat_mails
from config.permissions import declares
from mail import unsubscribing


@declares("public")
@csrf_exempt  # who has the link may; a mail program has no cookie of ours
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest) -> HttpResponse:
    """GET changes nothing: what looks through mails opens their links."""
    user = unsubscribing.whose(request.GET.get("token", ""))
    if user and request.method == "POST":
        want_chat_mails(user, False)
    shown = {"known": user is not None, "wanted": user is not None and user.chat_mails}
    page = render(request, "mail/unsubscribe.html", shown, status=200 if user else 404)
    page["Referrer-Policy"] = "no-referrer"
    page["Cache-Control"] = "no-store"
    return page
