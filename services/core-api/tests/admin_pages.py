"""Using the admin site's confirmed actions as a browser does."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User


def permit(user: User, *names: str) -> User:
    """Gives somebody permissions (`accounts.view_user`) of their own."""
    for name in names:
        app, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def ask(client: Client, path: str, action: str, *rows: Any, **more: Any) -> Any:
    """The page that asks whether it shall be so (or the list again, where there is nothing to ask)."""
    form = {"action": action, "_selected_action": [str(getattr(row, "pk", row)) for row in rows]}
    return client.post(path, form | more, follow=True)


def act(client: Client, path: str, action: str, *rows: Any, times: int = 1, **given: Any) -> list[str]:
    """Asks, confirms (`times`: double clicks) and gives what the person is told at last, or the form's errors."""
    page = ask(client, path, action, *rows)
    assert "form" in page.context, "there was nothing to confirm"
    given |= {"confirmed": "yes", "once": str(page.context["form"]["once"].value())}
    chosen = [row.pk for row, _ in page.context["allowed"]]
    for _ in range(times):
        page = ask(client, path, action, *chosen, **given)
        if "form" in page.context:
            return [f"{name}: {text}" for name, texts in page.context["form"].errors.items() for text in texts]
    return [str(message) for message in page.context["messages"]]
