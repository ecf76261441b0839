"""Actions of the admin site that first say, on a page of their own, what will happen to whom, and may ask for a reason.

    @confirmed("Revoke", "Access ends within a second.", form=ReasonForm, permission="change")
    def revoke(self, request, enrolment, given):
        if not do_revoke(enrolment.pk, request.user, given["reason"]):
            return f"{enrolment} had ended already."
        return f"{enrolment} has ended."

The method acts on one row, in a transaction of its own (the app's actions.py), and must be safe when it is called twice:
browsers send a form twice when a button is clicked twice. Where the deed is not so by nature, `given["once"]` is a number
of that form, to know the second one by, and `number_for` makes one for each row of it. A `Problem` that it raises is told to the
person, and the other rows go on.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme

from config.ids import uuid7
from config.problems import Problem

MOST = 100  # rows at once: as many as somebody can read before they confirm
TOLD = 10  # outcomes told one by one; more than these are counted

Act = Callable[[Any, HttpRequest, Any, dict[str, Any]], str]


class ConfirmForm(forms.Form):
    """What a confirmation asks. `once` is the number of the page that was shown: sent twice, it is the same."""

    once = forms.UUIDField(widget=forms.HiddenInput, initial=uuid7)


def number_for(once: uuid.UUID, row: Model) -> uuid.UUID:
    """An id for what is made of this row, as a form that asks about several makes one of each: ordered by time, as uuid7's are."""
    return uuid.UUID(int=once.int >> 80 << 80 | uuid.uuid5(once, str(row.pk)).int & ((1 << 80) - 1))


class ReasonForm(ConfirmForm):
    reason = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text="Kept with the audit log, for whoever asks later.",
    )


def confirmed(
    description: str,
    consequence: str,
    *,
    permission: str,
    form: type[ConfirmForm] = ConfirmForm,
    row_button: bool = True,
) -> Callable[[Act], Any]:
    """Makes an admin action of a method that acts on one row; on the row's own page it is a button, unless told otherwise."""

    def make(act: Act) -> Any:
        @admin.action(description=f"{description} …", permissions=[permission])
        def action(model_admin: Any, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
            rows = list(chosen[: MOST + 1])
            if len(rows) > MOST:
                messages.error(request, f"Choose at most {MOST} at once.")
                return None
            allowed = [row for row in rows if model_admin.may_act_on(request, row)]
            sent = form(request.POST) if "confirmed" in request.POST else None
            if sent is None or not sent.is_valid():
                page = {"title": description, "consequence": consequence, "form": sent or form()}
                return _ask(model_admin, request, act.__name__, page, rows, allowed)
            _act_on_each(model_admin, request, act, allowed, sent.cleaned_data)
            return None

        action.__name__ = act.__name__
        return on_its_page(action) if row_button else action

    return make


def on_its_page(action: Any) -> Any:
    """Makes an action a button on the row's own page, too."""
    action.row_button = True
    return action


def _ask(
    model_admin: Any, request: HttpRequest, name: str, page: dict[str, Any], rows: list[Model], allowed: list[Model]
) -> HttpResponse:
    context = page | {
        **model_admin.admin_site.each_context(request),
        "title": page["title"],
        "subtitle": None,
        "opts": model_admin.opts,
        "media": model_admin.media + page["form"].media,
        "action": name,
        "allowed": [(row, model_admin.described(row)) for row in allowed],
        "left_alone": [row for row in rows if row not in allowed],
        "checkbox": ACTION_CHECKBOX_NAME,
        "back": back_path(request),
    }
    return TemplateResponse(request, "admin/confirm_action.html", context)


def _act_on_each(model_admin: Any, request: HttpRequest, act: Act, rows: list[Any], given: dict[str, Any]) -> None:
    done: list[str] = []
    refused: list[str] = []
    for row in rows:
        try:
            done.append(act(model_admin, request, row, given))
        except Problem as problem:
            refused.append(f"{row}: {problem.detail}")
    _tell(request, messages.SUCCESS, done, "done")
    _tell(request, messages.ERROR, refused, "refused")


def _tell(request: HttpRequest, level: int, sentences: list[str], outcome: str) -> None:
    for sentence in sentences[:TOLD]:
        messages.add_message(request, level, sentence)
    if len(sentences) > TOLD:
        messages.add_message(request, level, f"… and {len(sentences) - TOLD} more {outcome}.")


def back_path(request: HttpRequest) -> str:
    """The page that the button stood on; empty for the list."""
    path = request.POST.get("back", "")
    return path if url_has_allowed_host_and_scheme(path, None) and path.startswith("/admin/") else ""
