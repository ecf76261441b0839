"""What payments forget about an erased person. The payments themselves stay: the books and the provider have them."""

from __future__ import annotations

from accounts.models import User
from payments.models import TopUp


def do_forget_checkouts(user: User) -> None:
    """The addresses of their payment pages, which may say who pays. Within the caller's transaction."""
    TopUp.objects.filter(user=user).exclude(checkout_url="").update(checkout_url="")
