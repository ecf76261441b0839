"""Django's own user forms, with what a changed password means here."""

from __future__ import annotations

from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm

from accounts import actions
from accounts.models import User


class AddUserForm(AdminUserCreationForm):  # type: ignore[type-arg]  # Django's class takes no [] at run time
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "email", "name")


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]  # ditto
    def save(self, commit: bool = True) -> User:
        """Sets the password, or none at all, and ends every login of the person."""
        usable = self.cleaned_data["set_usable_password"]
        user: User = self.user
        actions.set_password(user, self.cleaned_data["password1"] if usable else None)
        return user
