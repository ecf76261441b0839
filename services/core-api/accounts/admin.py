"""People in the admin site."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from accounts import actions
from accounts.forms import AddUserForm, PasswordForm
from accounts.models import LoginSession, User
from config.model_admin import LecternModelAdmin


class LoginSessionInline(admin.TabularInline):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    model = LoginSession
    fields = readonly_fields = ("created_at", "last_used_at", "address", "user_agent", "ended_at", "end_reason")
    ordering = ("-last_used_at",)
    extra = 0
    can_delete = False
    verbose_name_plural = "logins (refresh tokens are kept as hashes only)"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.view_user")


@admin.register(User)
class UserAdmin(LecternModelAdmin, DjangoUserAdmin):  # type: ignore[type-arg]  # ditto
    add_form = AddUserForm
    change_password_form = PasswordForm
    list_display = ("username", "email", "name", "is_active", "is_staff", "roles", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "date_joined")
    search_fields = ("username", "email", "name", "=id")
    ordering = ("-date_joined",)
    date_hierarchy = "date_joined"
    readonly_fields = ("id", "email_verified_at", "date_joined", "last_login", "generation", "erased_at")
    fieldsets = (
        (None, {"fields": ("username", "password", "id")}),
        ("Person", {"fields": ("name", "email", "email_verified_at")}),
        ("What they may do", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("History", {"fields": ("date_joined", "last_login", "generation", "erased_at")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "name", "usable_password", "password1", "password2")}),)
    inlines = (LoginSessionInline,)
    actions = ("deactivate", "log_out_everywhere")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display
    def roles(self, user: User) -> str:
        return ", ".join(user.role_names())

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Nobody gives anybody, themselves included, more than they have."""
        fields = list(super().get_readonly_fields(request, obj))
        if not request.user.is_superuser:
            fields.append("is_superuser")
        if not request.user.has_perm("auth.change_group"):
            fields += ["is_staff", "groups", "user_permissions"]
        return fields

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """A superuser's account, and so their password, is only for superusers to change."""
        protected = obj is not None and obj.is_superuser and not request.user.is_superuser
        return super().has_change_permission(request, obj) and not protected

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # orders and postings name them: deactivate instead

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        """Writes the changed fields alone, so that what happened while the form was open stays."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        own = {field.name for field in User._meta.concrete_fields}
        obj.save(update_fields=[name for name in form.changed_data if name in own])
        if "is_active" in form.changed_data and not obj.is_active:
            actions.deactivate(obj)

    @admin.action(description="Deactivate: end every login and let nobody log in as them", permissions=["change"])
    def deactivate(self, request: HttpRequest, users: QuerySet[User]) -> None:
        self._each(request, users, actions.deactivate, "deactivated")

    @admin.action(description="Log out everywhere", permissions=["change"])
    def log_out_everywhere(self, request: HttpRequest, users: QuerySet[User]) -> None:
        self._each(request, users, actions.log_out_everywhere, "logged out")

    def _each(self, request: HttpRequest, users: QuerySet[User], act: Any, done: str) -> None:
        allowed = [user for user in users if self.has_change_permission(request, user)]
        for user in allowed:
            act(user)
            self.log_change(request, user, done.capitalize())
        messages.success(request, f"{len(allowed)} {done}.")
        if skipped := users.count() - len(allowed):
            messages.warning(request, f"{skipped} left alone: only a superuser may change a superuser.")
