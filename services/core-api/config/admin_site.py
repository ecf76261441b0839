"""Django's own admin, as Lectern's."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django.contrib.admin import ModelAdmin, action
from django.contrib.admin.actions import delete_selected as django_delete_selected
from django.core.exceptions import BadRequest
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.second_factor_site import SecondFactorSite

if TYPE_CHECKING:
    from accounts.models import User


@action(permissions=["delete"], description="Delete selected %(verbose_name_plural)s")
def delete_selected(model_admin: ModelAdmin[Any], request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
    """Django's, in one transaction: what is deleted and the entries in the audit log that say so."""
    with transaction.atomic():
        return django_delete_selected(model_admin, request, chosen)


def _of_text(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Refuses addresses that hold a NUL, which stands in no column: Django's lists and pages would ask the database for it."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        asked = [text for name, values in request.GET.lists() for text in (name, *values)]
        if any("\0" in text for text in (request.path, *asked)):
            raise BadRequest
        return view(request, *args, **kwargs)

    return answer


class LecternAdminSite(SecondFactorSite):
    site_header = site_title = "Lectern"
    index_title = "Overview"
    index_template = "admin/dashboard.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.add_action(delete_selected, "delete_selected")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return super().admin_view(_of_text(view), cacheable)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from config.dashboard import dashboard  # imports the apps' models, which are not ready when the site is made

        shown = dashboard(cast("User", request.user))
        return super().index(request, (extra_context or {}) | {"dashboard": shown})
