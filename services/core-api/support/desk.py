"""The support desk's page, which speaks to chat-gateway by itself (static/support/desk/), and what it shows of learners."""

from __future__ import annotations

from uuid import UUID

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from config.requests import person
from support.beside import beside
from support.tickets import ticket_of


@csp_update({"img-src": "blob:"})  # pictures of a conversation, fetched with the agent's token
def page(request: HttpRequest) -> HttpResponse:
    """For agents; others who look after the desk find its categories here, as with every app of the admin site."""
    user = person(request)
    if not user.has_perm("support.answer"):
        return admin.site.app_index(request, "support")
    app = next(iter(admin.site.get_app_list(request, "support")), None)
    context = admin.site.each_context(request) | {
        "title": "Support desk",
        "is_nav_sidebar_enabled": False,
        "set_up": app["models"] if app else [],
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
    }
    return TemplateResponse(request, "support/desk.html", context)


def learner(request: HttpRequest, ticket: UUID) -> HttpResponse:
    """Who asks in a ticket of the agent's categories, as a piece of the desk's page. 404 for any other ticket."""
    user = person(request)
    if not user.has_perm("support.answer"):
        raise PermissionDenied
    found = ticket_of(user, ticket)
    if found is None:
        raise Http404
    return TemplateResponse(request, "support/learner.html", {"ticket": found, "beside": beside(found, user)})
