"""Writing the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from audit.models import Event
from audit.origin import current_origin

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser
    from django.db.models import Model

    from accounts.models import User


def record(
    kind: str, *, actor: User | AnonymousUser | UUID | None, subject: Model | None = None, **detail: object
) -> Event:
    """Adds one event, in the caller's transaction: what is rolled back did not happen.

    `kind` is one of audit.kinds.Kind. `detail` holds JSON values: amounts, reasons, names of fields and roles, but never
    what people typed as name or password, no token, no message text, no e-mail address.
    """
    origin = current_origin()
    return Event.objects.create(
        kind=kind,
        actor_id=actor if actor is None or isinstance(actor, UUID) else actor.pk,
        subject_type=subject._meta.label_lower if subject is not None else "",
        subject_id=str(subject.pk) if subject is not None else "",
        address=origin.address,
        request_id=origin.request_id,
        detail=detail,
    )
