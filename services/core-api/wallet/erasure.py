"""What becomes of an erased person's wallet. It stays, empty: its postings are chained to it."""

from __future__ import annotations

from accounts.models import User
from wallet.actions import do_forfeit
from wallet.models import Wallet


def do_close(wallet: Wallet, user: User, by: User | None) -> int:
    """Gives up the credit of a locked wallet, which spends nothing from now on; gives how much it was.

    A payment that was on its way still arrives in it: finance sends the money back, as with any other top-up.
    """
    forfeited = do_forfeit(user, by)
    Wallet.objects.filter(pk=wallet.pk).update(frozen=True)
    return forfeited
