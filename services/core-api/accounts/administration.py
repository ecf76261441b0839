"""What staff do to somebody else's account. Each leaves an entry in the audit log; done twice, it is done once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

from accounts import actions, attempts, second_factor
from accounts.errors import OneselfStays
from accounts.models import User
from audit.actions import record
from audit.kinds import Kind


def may_manage(by: User, whose: User) -> bool:
    """Whether `by` may change that account, and so become its owner: nobody may who could then do more than before.

    Counts what a deactivated person could do again.
    """
    if by.is_superuser or by == whose:
        return True
    if whose.is_superuser:
        return False
    held = Permission.objects.filter(Q(user=whose) | Q(group__user=whose)).values_list(
        "content_type__app_label", "codename"
    )
    return {f"{app}.{codename}" for app, codename in held} <= by.get_all_permissions()


def do_deactivate(user: User, by: User, reason: str = "") -> bool:
    """Ends every login of the person and lets nobody log in as them; False if it was so already. Raises OneselfStays."""
    if user == by:
        raise OneselfStays
    with transaction.atomic():
        if not _lock(user).is_active:
            return False
        actions.deactivate(user)
        record(Kind.DEACTIVATED, actor=by, subject=user, **_because(reason))
        return True


def do_activate(user: User, by: User, reason: str = "") -> bool:
    """Lets a deactivated person log in again; False if they could, or are erased."""
    with transaction.atomic():
        current = _lock(user)
        if current.is_active or current.erased_at is not None:
            return False
        current.is_active = True
        current.save(update_fields=["is_active"])
        record(Kind.ACTIVATED, actor=by, subject=user, **_because(reason))
        return True


def do_remove_second_factor(user: User, by: User | None, reason: str = "") -> bool:
    """For a lost device: takes it away and ends every login, since one may be on it; False if there is no device."""
    with transaction.atomic():
        if not second_factor.do_remove(user, by, **_because(reason)):
            return False
        actions.log_out_everywhere(user, "second_factor_lost")
        return True


def do_forget_failed_logins(user: User, by: User | None) -> int:
    """Lets somebody try at once who has to wait because they, or strangers, guessed too often. Gives the counters forgotten."""
    with transaction.atomic():
        record(Kind.FAILED_LOGINS_FORGOTTEN, actor=by, subject=user)
        return attempts.forget(user)


def do_note_roles(by: User, whose: User | Group, changed: dict[str, Any]) -> None:
    """Into the audit log: which roles and permissions a person or a group was given and lost. Nothing changed: no entry."""
    if changed:
        record(Kind.ROLES_CHANGED, actor=by, subject=whose, **changed)


def check_may_give(giver: User, groups: Iterable[Group], permissions: Iterable[Permission]) -> list[str]:
    """The names of those permissions, on their own or by a group, that the giver lacks and so cannot give. None: all well."""
    given = {_name(permission) for permission in permissions}
    of_groups = Permission.objects.filter(group__in=list(groups)).select_related("content_type")
    given |= {_name(permission) for permission in of_groups}
    return sorted(name for name in given if not giver.has_perm(name))


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def _lock(user: User) -> User:
    return User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _because(reason: str) -> dict[str, str]:
    return {"reason": reason} if reason else {}
