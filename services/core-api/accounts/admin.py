"""People and roles in the admin site."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from accounts import administration, emails
from accounts.actions import log_out_everywhere
from accounts.forms import AddUserForm, ChangeUserForm, GroupForm, PasswordForm
from accounts.login_help import LogInHelp
from accounts.models import LoginSession, User
from config.confirmation import ReasonForm, confirmed
from config.model_admin import LecternModelAdmin, ReadOnlyInline
from config.requests import person
from learning.forms import GrantForm
from learning.grants import do_grant
from privacy.erasing import erase
from privacy.forms import EraseForm
from wallet.staff import WHAT_ADJUSTING_DOES, AdjustForm, adjust_once


class LoginSessionInline(ReadOnlyInline):
    """The newest logins of a person."""

    model = LoginSession
    fk_name = "user"
    fields = ("created_at", "last_used_at", "address", "user_agent", "ended_at", "end_reason")
    ordering = ("-last_used_at",)
    verbose_name_plural = "newest logins (refresh tokens are kept as hashes only)"
    newest = 20

    def get_queryset(self, request: HttpRequest) -> QuerySet[LoginSession]:
        return super().get_queryset(request).select_related("user")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.view_user")


@admin.register(User)
class UserAdmin(LogInHelp, LecternModelAdmin, DjangoUserAdmin):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    form = ChangeUserForm
    add_form = AddUserForm
    change_password_form = PasswordForm
    list_display = ("username", "email", "name", "is_active", "is_staff", "roles", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "date_joined")
    search_fields = ()
    search_people = ("pk",)
    ordering = ("-date_joined",)
    readonly_fields = (
        "id",
        "email_verified_at",
        "chat_mails",
        "is_active",
        "date_joined",
        "last_login",
        "generation",
        "erased_at",
    )
    fieldsets = (
        (None, {"fields": ("username", "password", "id")}),
        ("Person", {"fields": ("name", "email", "email_verified_at", "chat_mails")}),
        ("What they may do", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("History", {"fields": ("date_joined", "last_login", "generation", "erased_at")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "name", "usable_password", "password1", "password2")}),)
    inlines = (LoginSessionInline,)
    actions = (
        "deactivate",
        "activate",
        "log_out_everywhere",
        "forget_failed_logins",
        "remove_second_factor",
        "grant_course",
        "adjust_wallet",
        "erase",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display
    def roles(self, user: User) -> str:
        return ", ".join(user.role_names())

    def described(self, obj: User) -> str:
        known = ", ".join(filter(None, (obj.name, obj.email, "" if obj.is_active else "deactivated")))
        return f"{obj.username} ({known})"

    def is_worth_offering(self, action: str, obj: User) -> bool:
        return {"deactivate": obj.is_active, "activate": not obj.is_active}.get(action, True)

    def links(self, request: HttpRequest, obj: User) -> list[tuple[str, str]]:
        """What else there is about the person, where the viewer may see it."""
        found = super().links(request, obj)
        if found:
            query = urlencode({"actor_id": obj.pk})
            found.append(("What they did", f"{reverse('admin:audit_event_changelist')}?{query}"))
        query = urlencode({"user__id__exact": obj.pk})
        for label, app, model in ABOUT_A_PERSON:
            if request.user.has_perm(f"{app}.view_{model}"):
                try:
                    found.append((label, f"{reverse(f'admin:{app}_{model}_changelist')}?{query}"))
                except NoReverseMatch:  # playback sessions, on SQLite
                    continue
        return found

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj else ()

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.giver = request.user
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Nobody gives anybody, themselves included, more than they have."""
        fields = list(super().get_readonly_fields(request, obj))
        if not request.user.is_superuser:
            fields.append("is_superuser")
        if not request.user.has_perm("auth.change_group"):
            fields += ["is_staff", "groups", "user_permissions"]
        return fields

    def may_act_on(self, request: HttpRequest, obj: User) -> bool:
        """Who may do more than the viewer, superusers above all, has an account that is not the viewer's to change."""
        return administration.may_manage(person(request), obj)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or self.may_act_on(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # orders and postings name them: deactivate instead

    def has_grant_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("learning.add_enrolment")

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.delete_user")

    def has_adjust_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wallet.adjust")

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        """Writes the changed fields alone, so that what happened while the form was open stays."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        own = {field.name for field in User._meta.concrete_fields}
        obj.save(update_fields=[name for name in form.changed_data if name in own])
        if "email" in form.changed_data:
            emails.do_forget_confirmation(obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if isinstance(form, ChangeUserForm):
            administration.do_note_roles(person(request), form.instance, form.given_roles())

    @confirmed(
        "Deactivate",
        "Every login of theirs ends within a second, what they are watching stops, and nobody can log in as them.",
        permission="change",
        form=ReasonForm,
    )
    def deactivate(self, request: HttpRequest, user: User, given: dict[str, Any]) -> str:
        done = administration.do_deactivate(user, person(request), given["reason"])
        return f"{user} is deactivated." if done else f"{user} was deactivated already."

    @confirmed("Reactivate", "They can log in again, with the password they had.", permission="change", form=ReasonForm)
    def activate(self, request: HttpRequest, user: User, given: dict[str, Any]) -> str:
        done = administration.do_activate(user, person(request), given["reason"])
        return f"{user} is active again." if done else f"{user} is left as they are: active, or erased for good."

    @confirmed(
        "Log out everywhere",
        "Every login of theirs ends within a second, on all devices. They can log in again at once.",
        permission="change",
    )
    def log_out_everywhere(self, request: HttpRequest, user: User, given: dict[str, Any]) -> str:
        log_out_everywhere(user, "admin", by=person(request))
        return f"{user} is logged out everywhere."

    @confirmed("Grant a course", "They get the course at once, and pay nothing.", permission="grant", form=GrantForm)
    def grant_course(self, request: HttpRequest, user: User, given: dict[str, Any]) -> str:
        do_grant(user, given["course"], person(request), given["reason"], given["valid_until"])
        return f"{user} has {given['course']}."

    @confirmed(
        "Adjust wallet",
        WHAT_ADJUSTING_DOES,
        permission="adjust",
        form=AdjustForm,
    )
    def adjust_wallet(self, request: HttpRequest, user: User, given: dict[str, Any]) -> str:
        by = person(request)
        return adjust_once(user, by, given["amount"], given["reason"], given["once"])

    @confirmed(
        "Erase for good",
        "Whatever says who they are goes, in every service, and never comes back. Orders and postings stay, without a name.",
        permission="erase",
        form=EraseForm,
    )
    def erase(self, request: HttpRequest, user: User, given: dict[str, Any]) -> str:
        by, name = person(request), str(user)
        done = erase(user, by, forfeit_credit=given["forfeit_credit"], reason=given["reason"])
        return f"{name} is erased." if done else f"{name} was erased before."


ABOUT_A_PERSON = [
    ("Orders", "wallet", "order"),
    ("Enrolments", "learning", "enrolment"),
    ("Wallet", "wallet", "wallet"),
    ("Top-ups", "payments", "topup"),
    ("Playback sessions", "published", "playbacksession"),
    ("Mails", "mail", "mail"),
]

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(LecternModelAdmin, DjangoGroupAdmin):
    """Roles. Who may edit them gives no more than they have."""

    form = GroupForm

    def get_form(self, request: HttpRequest, obj: Group | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.giver = request.user
        return form

    def save_related(self, request: HttpRequest, form: GroupForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        administration.do_note_roles(cast(Any, request.user), form.instance, form.given_roles())
