"""What becomes of an erased person's enrolments, and of what they said.

Enrolments stay, ended: each belongs to a line of an order. Progress and certificates go with the person (their foreign keys
cascade): whoever checks the code of such a certificate learns that there is none.
"""

from __future__ import annotations

from accounts.models import User
from learning.actions import do_end
from learning.models import Enrolment


def do_end_all(user: User) -> int:
    """Ends every running enrolment of a person, inside the caller's transaction; gives how many."""
    return do_end(Enrolment.objects.filter(user=user, ended_at__isnull=True).values_list("pk", flat=True), "erased")
