"""Who may use a route. Every view names one of these; tests/contract walks all routes and fails on one that does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from rest_framework.permissions import BasePermission

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


View = TypeVar("View", bound=Callable[..., Any])


def declares(label: str) -> Callable[[View], View]:
    """Says who may use a view that is not DRF's: `public`, or `internal` (nginx does not route it)."""

    def declare(view: View) -> View:
        view.permission_label = label  # type: ignore[attr-defined]  # functions take attributes
        return view

    return declare


class DenyAll(BasePermission):
    """The default: a view that declares nothing answers nobody."""

    label = "nobody"

    def has_permission(self, request: Request, view: APIView) -> bool:
        return False


class Public(BasePermission):
    label = "public"

    def has_permission(self, request: Request, view: APIView) -> bool:
        return True


class Authenticated(BasePermission):
    label = "authenticated"

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.is_authenticated)


def holds(*permissions: str) -> type[BasePermission]:
    """A permission class for people who hold at least one of `permissions` (names such as `courses.manage`)."""

    class Holds(Authenticated):
        label = " or ".join(permissions)

        def has_permission(self, request: Request, view: APIView) -> bool:
            return super().has_permission(request, view) and any(request.user.has_perm(name) for name in permissions)

    return Holds


def by_method(**permissions: type[BasePermission]) -> type[BasePermission]:
    """`by_method(GET=Public, POST=holds("courses.manage"))`. A method that the view has and this does not name is closed."""

    class ByMethod(BasePermission):
        labels = {
            method: getattr(permission, "label", permission.__name__) for method, permission in permissions.items()
        }
        label = ", ".join(f"{method}: {label}" for method, label in labels.items())

        def has_permission(self, request: Request, view: APIView) -> bool:
            method = "GET" if request.method == "HEAD" else str(request.method)
            if method in permissions:
                return permissions[method]().has_permission(request, view)
            return method != "OPTIONS" and not hasattr(view, method.lower())  # the view answers 405

    return ByMethod


def label_of(view: APIView, method: str) -> str:
    """Who may use `view` with `method`, in the words of its permission classes."""
    found: list[str] = []
    for permission in view.get_permissions():
        by_method: dict[str, str] = getattr(permission, "labels", {})
        found.append(by_method.get(method) or str(getattr(permission, "label", type(permission).__name__)))
    return " and ".join(found)
