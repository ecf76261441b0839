"""Certificates: issued when a course is completed, once; checked by whoever has the code; revoked by staff."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from config.problems import NotFound
from courses.models import Course
from learning.codes import as_kept
from learning.errors import CertificateRevoked
from learning.models import Certificate


def do_issue(user: User, course: Course) -> Certificate:
    """The person's certificate for a course that they have completed, in the caller's transaction: a new one, or the one
    that there is, revoked or not."""
    names = {"name": user.get_short_name(), "title": course.title}
    return Certificate.objects.get_or_create(user=user, course=course, defaults=names)[0]


def find_certificate(code: str) -> Certificate:
    """A valid one, by its code as somebody types it. Raises NotFound, CertificateRevoked."""
    found = Certificate.objects.filter(code=as_kept(code)).first()
    if found is None:
        raise NotFound("There is no certificate with this code.")
    if found.revoked_at is not None:
        raise CertificateRevoked(f"This certificate was revoked on {found.revoked_at:%Y-%m-%d}: it is not valid.")
    return found


def certificates_of(user: User) -> QuerySet[Certificate]:
    """The person's own that are valid, the newest first."""
    return Certificate.objects.filter(user=user, revoked_at=None).select_related("course").order_by("-id")


def page_of(certificate: Certificate) -> str:
    """The address at which anybody checks it."""
    return f"{settings.PUBLIC_URL}/certificates/{certificate.code}/"


def do_revoke(certificate_id: uuid.UUID, by: User, reason: str) -> bool:
    """It is not valid any more; False if it was not."""
    return _do_mark(certificate_id, by, Kind.CERTIFICATE_REVOKED, reason)


def do_reinstate(certificate_id: uuid.UUID, by: User, reason: str) -> bool:
    """It is valid again; False if it was."""
    return _do_mark(certificate_id, by, Kind.CERTIFICATE_REINSTATED, reason)


def _do_mark(certificate_id: uuid.UUID, by: User, kind: Kind, reason: str) -> bool:
    revoke = kind == Kind.CERTIFICATE_REVOKED
    with transaction.atomic():
        certificate = Certificate.objects.select_for_update(of=("self",)).select_related("user").get(pk=certificate_id)
        if (certificate.revoked_at is not None) == revoke:
            return False
        certificate.revoked_at = timezone.now() if revoke else None
        certificate.revoke_reason = reason if revoke else ""
        certificate.save(update_fields=["revoked_at", "revoke_reason"])
        ids = {"certificate": str(certificate.pk), "course": str(certificate.course_id)}
        record(kind, actor=by, subject=certificate.user, **ids, reason=reason)
        return True
