"""Credit packs, top-ups and providers' events in the admin site."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from config.model_admin import LecternModelAdmin, ReadOnlyModelAdmin
from payments.events import refresh_topup
from payments.models import CreditPack, ProviderEvent, TopUp
from payments.providers import providers
from payments.providers.base import ProviderError


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
    search_fields = ["provider_reference__exact", "user__username", "user__email"]
    search_ids = ("pk", "user")
    ordering = ["-id"]  # version 7: newest first
    actions = ["ask_provider"]

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.refund")

    @admin.action(description="Ask the provider how these stand", permissions=["refund"])
    def ask_provider(self, request: HttpRequest, topups: QuerySet[TopUp]) -> None:
        """For a buyer who paid while the provider's message was lost: credits what the provider says is paid."""
        for topup in topups:
            if topup.provider not in providers():
                self.message_user(request, f"{topup.provider} is not switched on here.", messages.ERROR)
                continue
            try:
                refresh_topup(topup)
            except ProviderError as error:
                self.message_user(request, f"{topup.pk}: {error}", messages.ERROR)
                continue
            topup.refresh_from_db()
            self.message_user(request, f"{topup.pk} is {topup.status}.", messages.SUCCESS)


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyModelAdmin):
    list_display = ["received_at", "provider", "event_id", "kind", "topup", "outcome", "detail"]
    list_select_related = ["topup__user"]
    list_filter = ["outcome", "provider", "kind"]
    search_fields = ["event_id__exact"]
    search_ids = ("topup",)
    ordering = ["-id"]
