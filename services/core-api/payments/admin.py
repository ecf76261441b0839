"""Credit packs, top-ups and providers' events in the admin site."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from config.confirmation import ReasonForm, confirmed
from config.model_admin import LecternModelAdmin, ReadOnlyModelAdmin
from config.requests import person
from payments.events import do_note_handled, refresh_topup
from payments.models import CreditPack, ProviderEvent, Reversal, TopUp
from payments.providers import providers
from payments.providers.base import ProviderError
from payments.refunds import refund_topup
from wallet.errors import Busy
from wallet.idempotency import form_key

WHAT_NEXT = {  # for an event in quarantine, by its kind
    "unknown": (
        "Look the event up in the provider's dashboard. If another system takes payments with the same account, it is "
        "that one's, and nothing is to be done here. Otherwise refund the payment there."
    ),
    "paid": (
        "Compare the payment in the provider's dashboard with the top-up. Either refund the payment there, or adjust the "
        "buyer's wallet by hand, and say why. The top-up itself stays as it is."
    ),
    "refund": (
        "More was refunded than this top-up cost, or it was never paid. Compare both in the provider's dashboard, and adjust "
        "the buyer's wallet by hand if credit has to go."
    ),
    "dispute": (
        "More is disputed than this top-up cost, or it was never paid. Compare both in the provider's dashboard, and adjust "
        "the buyer's wallet by hand if credit has to go."
    ),
    "failed": "Look at the payment in the provider's dashboard: it is not the one that this top-up waits for.",
    "other": "Look at the payment in the provider's dashboard: it is not the one that this top-up waits for.",
}


@admin.register(CreditPack)
class CreditPackAdmin(LecternModelAdmin):
    list_display = ["name", "code", "credits", "amount", "currency", "is_active", "position"]
    list_editable = ["is_active", "position"]

    def get_readonly_fields(self, request: HttpRequest, obj: CreditPack | None = None) -> list[str]:
        return ["code"] if obj else []  # clients name packs by it


@admin.register(TopUp)
class TopUpAdmin(ReadOnlyModelAdmin):
    list_display = ["id", "user", "pack", "provider", "status", "credits", "amount", "currency", "created_at"]
    list_select_related = ["user", "pack"]
    list_filter = ["status", "provider"]
    search_fields = ["provider_reference__exact"]
    search_people = ("user",)
    search_ids = ("pk", "user")
    ordering = ["-id"]  # version 7: newest first
    actions = ["refund", "ask_provider"]

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.refund")

    def may_act_on(self, request: HttpRequest, obj: TopUp) -> bool:
        return obj.status == TopUp.Status.PAID and obj.user_id != request.user.pk

    def described(self, obj: TopUp) -> str:
        return (
            f"{obj.credits} credits of {obj.user}, {obj.amount} {obj.currency} in the smallest unit, by {obj.provider}"
        )

    @confirmed(
        "Refund",
        "The credits leave the wallet and the provider gives the money back; above the limit, once somebody else has "
        "approved it. Neither can be taken back.",
        permission="refund",
        form=ReasonForm,
    )
    def refund(self, request: HttpRequest, topup: TopUp, given: dict[str, Any]) -> str:
        key = form_key(person(request), "admin.refund", f"{given['once']}/{topup.pk}", reason=given["reason"])
        answer = refund_topup(key, topup.pk, given["reason"])
        if answer.status == 200:
            return f"The top-up of {topup} is refunded."
        waits_for = "another person's approval" if "approval" in answer.body else "the provider"
        return f"The refund of {topup} waits for {waits_for}."

    @admin.action(description="Ask the provider how these stand", permissions=["refund"])
    def ask_provider(self, request: HttpRequest, topups: QuerySet[TopUp]) -> None:
        """For a buyer who paid while the provider's message was lost: credits what the provider says is paid."""
        for topup in topups:
            if topup.provider not in providers():
                self.message_user(request, f"{topup.provider} is not switched on here.", messages.ERROR)
                continue
            try:
                refresh_topup(topup)
            except (ProviderError, Busy) as error:
                why = error.detail if isinstance(error, Busy) else error
                self.message_user(request, f"{topup.pk}: {why}", messages.ERROR)
                continue
            topup.refresh_from_db()
            self.message_user(request, f"{topup.pk} is {topup.status}.", messages.SUCCESS)


class Owing(admin.SimpleListFilter):
    title = "debt"
    parameter_name = "owing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Is owed")]

    def queryset(self, request: HttpRequest, reversals: QuerySet[Reversal]) -> QuerySet[Reversal]:
        return reversals.filter(owed__gt=0) if self.value() else reversals


@admin.register(Reversal)
class ReversalAdmin(ReadOnlyModelAdmin):
    """Refunds and disputes, and what people owe because of them."""

    list_display = ["created_at", "kind", "stage", "buyer", "amount", "currency", "credits", "owed", "requested_by"]
    list_select_related = ["topup__user", "requested_by"]
    list_filter = [Owing, "kind", "stage"]
    search_fields = ["reference__exact"]
    search_people = ("topup__user",)
    search_ids = ("pk", "topup")
    ordering = ["-id"]  # version 7: newest first

    @admin.display(description="buyer")
    def buyer(self, reversal: Reversal) -> str:
        return str(reversal.topup.user)

    @admin.display(description="currency")
    def currency(self, reversal: Reversal) -> str:
        return reversal.topup.currency


class Waiting(admin.SimpleListFilter):
    title = "quarantine"
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "To be dealt with")]

    def queryset(self, request: HttpRequest, events: QuerySet[ProviderEvent]) -> QuerySet[ProviderEvent]:
        return events.filter(outcome="quarantined", handled_at__isnull=True) if self.value() else events


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyModelAdmin):
    list_display = ["received_at", "provider", "event_id", "kind", "topup", "outcome", "detail", "handled_at"]
    list_select_related = ["topup__user"]
    list_filter = [Waiting, "outcome", "provider", "kind"]
    search_fields = ["event_id__exact"]
    search_ids = ("topup",)
    ordering = ["-id"]
    readonly_fields = ["what_next"]
    actions = ["deal_with"]

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.refund")

    def may_act_on(self, request: HttpRequest, obj: ProviderEvent) -> bool:
        return obj.outcome == ProviderEvent.Outcome.QUARANTINED and obj.handled_at is None

    @admin.display(description="what to do next")
    def what_next(self, event: ProviderEvent) -> str:
        if event.outcome != ProviderEvent.Outcome.QUARANTINED:
            return "Nothing."
        if event.handled_at:
            return "Nothing: somebody dealt with it."
        return WHAT_NEXT[event.kind if event.topup_id else "unknown"]

    @confirmed("Mark as dealt with", "It leaves the list of what waits. No credit moves.", permission="refund")
    def deal_with(self, request: HttpRequest, event: ProviderEvent, given: dict[str, Any]) -> str:
        do_note_handled(event, person(request))
        return f"{event} is dealt with."
