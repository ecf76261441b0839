"""Proposals in the admin site: to be read and decided."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from approvals import actions
from approvals.models import Approval
from config.confirmation import ConfirmForm, confirmed
from config.model_admin import ReadOnlyModelAdmin


class NoteForm(ConfirmForm):
    note = forms.CharField(max_length=200, required=False, help_text="Told to whoever proposed it.")


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyModelAdmin):
    list_display = ["proposed_at", "kind", "person", "amount", "reason", "proposed_by", "state", "decided_by"]
    list_select_related = ["person", "proposed_by", "decided_by"]
    list_filter = ["state", "kind"]
    search_fields = ["id__exact", "order__id__exact", "topup__id__exact"]
    search_people = ("person", "proposed_by")
    ordering = ["-id"]  # version 7: newest first
    raw_id_fields = ["order", "topup", "enrolment"]
    actions = ["approve", "reject"]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.refund")

    def may_act_on(self, request: HttpRequest, obj: Approval) -> bool:
        return obj.state == Approval.State.PENDING and request.user.pk not in (obj.proposed_by_id, obj.person_id)

    @confirmed("Approve", "What was proposed is done at once.", form=NoteForm, permission="decide")
    def approve(self, request: HttpRequest, approval: Approval, given: dict[str, Any]) -> str:
        actions.approve(approval.pk, request.user, given["note"])  # type: ignore[arg-type]  # staff are logged in
        return f"{approval} is approved."

    @confirmed("Reject", "Nothing moves. Whoever proposed it is told.", form=NoteForm, permission="decide")
    def reject(self, request: HttpRequest, approval: Approval, given: dict[str, Any]) -> str:
        actions.reject(approval.pk, request.user, given["note"])  # type: ignore[arg-type]  # staff are logged in
        return f"{approval} is rejected."
