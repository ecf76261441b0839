"""Logging in with a username or an e-mail address, and what a person may do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.models import User
from accounts.roles import LEARNER


class UsernameOrEmailBackend(ModelBackend):
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """The active person with that name or address and password. Takes as long whether or not there is such a person."""
        if not username or password is None:
            return None
        user = User.objects.named(username).first()
        if user is None:
            User().set_password(password)
            return None
        return user if user.check_password(password) and self.user_can_authenticate(user) else None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """The names of what the person may, by themselves and by their groups, in one query instead of Django's two."""
        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        if not hasattr(user_obj, "_perm_cache"):
            held = Permission.objects.all()
            if not user_obj.is_superuser:
                held = held.filter(Q(user=user_obj) | Q(group__in=user_obj.groups.all()) | Q(group__name=LEARNER))
            names = held.order_by().values_list("content_type__app_label", "codename")
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in names}
        found: set[str] = user_obj._perm_cache
        return found

    def _get_group_permissions(self, user_obj: User) -> QuerySet[Permission]:
        """Those of the person's groups and of `learner`, which everybody is. published.principal says the same."""
        return Permission.objects.filter(Q(group__in=user_obj.groups.all()) | Q(group__name=LEARNER)).distinct()
