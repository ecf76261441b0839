"""The outbox in the admin site. Without EMAIL_URL nothing leaves it: admins read mails out of it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from config.confirmation import confirmed
from config.model_admin import ReadOnlyModelAdmin
from config.requests import person
from mail import unsubscribing
from mail.actions import send_again
from mail.models import Mail


@admin.register(Mail)
class MailAdmin(ReadOnlyModelAdmin):
    list_display = ["created_at", "user", "kind", "subject", "status", "attempts", "sent_at", "error"]
    list_filter = ["status", "kind", "created_at"]
    list_select_related = ["user"]
    search_fields = ["to", "subject"]
    search_people = ("user",)
    search_ids = ("pk", "user")
    ordering = ["-id"]  # version 7: newest first
    actions = ["send_again"]

    def get_fields(self, request: HttpRequest, obj: Mail | None = None) -> Any:
        """A link in a mail may be worth a log-in, so staff's mails are read by superusers alone: nobody becomes another."""
        readable = obj is not None and (request.user.is_superuser or not (obj.user.is_staff or obj.user.is_superuser))
        about = ["user", "to", "kind", "subject"]
        return [
            *about,
            "whole_text" if readable else "withheld",
            "status",
            "attempts",
            "error",
            "created_at",
            "sent_at",
        ]

    @admin.display(description="text")
    def whole_text(self, message: Mail) -> str:
        return unsubscribing.whole_text(message)

    @admin.display(description="text")
    def withheld(self, message: Mail) -> str:
        return "It is to a member of staff: only superusers read it."

    def described(self, obj: Mail) -> str:
        return f"“{obj.subject}” to {obj.user} ({obj.status})"

    def is_worth_offering(self, action: str, obj: Mail) -> bool:
        return obj.status == Mail.Status.FAILED

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mail.change_mail")

    @confirmed("Send again", "Those that failed go back into the queue.", permission="send")
    def send_again(self, request: HttpRequest, message: Mail, given: dict[str, Any]) -> str:
        done = send_again(message.pk, person(request))
        return f"{self.described(message)}: queued." if done else f"{self.described(message)}: it has not failed."
