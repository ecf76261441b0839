"""Django's own forms about people and groups, with what a changed password or role means here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group

from accounts import actions
from accounts.administration import check_may_give
from accounts.models import User


class AddUserForm(AdminUserCreationForm):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "email", "name")


class RolesForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    """A form that changes what somebody may do. Whoever sends it (`giver`) gives no more than they have."""

    giver: User
    FLAGS = ("is_staff", "is_superuser")
    LISTS = ("groups", "user_permissions", "permissions")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        permissions = [*self._added("user_permissions"), *self._added("permissions")]
        if lacking := check_may_give(self.giver, self._added("groups"), permissions):
            raise forms.ValidationError(f"You cannot give what you do not have: {', '.join(lacking)}.")
        return cleaned

    def given_roles(self) -> dict[str, Any]:
        """What a valid form changes: `{"is_staff": True, "groups_added": ["finance"], "groups_removed": [] …}`."""
        told: dict[str, Any] = {name: self.cleaned_data[name] for name in self.FLAGS if name in self.changed_data}
        for name in self.LISTS:
            if name in self.changed_data:
                told[f"{name}_added"] = [_name(row) for row in self._added(name)]
                told[f"{name}_removed"] = [
                    _name(row) for row in self.initial.get(name, []) if row not in self.cleaned_data[name]
                ]
        return told

    def _added(self, name: str) -> list[Any]:
        before = self.initial.get(name, [])
        return [row for row in self.cleaned_data.get(name, []) if row not in before]


class ChangeUserForm(RolesForm, UserChangeForm):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    class Meta(UserChangeForm.Meta):
        model = User


class GroupForm(RolesForm):
    class Meta:
        model = Group
        fields = ("name", "permissions")


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    def save(self, commit: bool = True) -> User:
        """Sets the password, or none at all, and ends every login of the person."""
        usable = self.cleaned_data["set_usable_password"]
        user: User = self.user
        actions.set_password(user, self.cleaned_data["password1"] if usable else None)
        return user


def _name(row: Any) -> str:
    return str(getattr(row, "codename", None) or row.name)
