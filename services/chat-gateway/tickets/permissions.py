"""Deny by default: a view says what it needs, in `permission`; one that does not say answers nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tickets.errors import NotAuthenticated, PermissionDenied
from tickets.people import Person

if TYPE_CHECKING:
    from rest_framework.views import APIView  # itself imports this module, as its default

PUBLIC = "public"
AUTHENTICATED = "authenticated"  # any person; which tickets they see is decided by queries.visible_to


def needed(view: APIView) -> str | None:
    """What `view` needs: PUBLIC, AUTHENTICATED, a permission's name, or None: not declared."""
    declared: str | None = getattr(view, "permission", None)
    return declared


class Declared(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        needs = needed(view)
        if needs == PUBLIC or request.method not in view.allowed_methods:  # the latter is answered 405
            return True
        person = cast("Person | None", request.user)
        if person is None:
            raise NotAuthenticated
        if needs is None or (needs != AUTHENTICATED and needs not in person.permissions):
            raise PermissionDenied
        return True
