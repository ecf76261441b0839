"""What staff do about who may learn what: grant a course, revoke an enrolment, extend it. Each with a reason, audited."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.actions import record
from audit.kinds import Kind
from courses.models import Course
from learning.actions import do_end
from learning.errors import AlreadyEnrolled, EnrolmentOver, NotLonger
from learning.models import Enrolment


def do_grant(user: User, course: Course, by: User, reason: str, valid_until: datetime | None = None) -> Enrolment:
    """Gives a person a course for nothing, until `valid_until` (None: no end). What they bought stands beside it.

    A grant that runs already is given back as it is: asked twice, it is given once. Raises AlreadyEnrolled where that
    one would end sooner than asked: extend it.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two grants at once happen one after another
        running = Enrolment.objects.filter(user=user, course=course, source=Enrolment.Source.GRANT, ended_at=None)
        do_end(running.filter(valid_until__lte=timezone.now()).values_list("pk", flat=True), "expired")
        for granted in running:
            if not _is_longer(valid_until, granted.valid_until):
                return granted
            raise AlreadyEnrolled("There is a grant of this course already, which ends sooner. Extend that one.")
        granted = Enrolment.objects.create(
            user=user, course=course, source=Enrolment.Source.GRANT, valid_until=valid_until
        )
        _record(Kind.ENROLMENT_GRANTED, granted, by, reason, until=valid_until)
        return granted


def do_revoke(enrolment_id: uuid.UUID, by: User, reason: str) -> bool:
    """Ends one enrolment, on all services within a second; False if it was over. No credit moves: that is a refund."""
    with transaction.atomic():
        if not do_end([enrolment_id], "revoked"):
            return False
        _record(Kind.ENROLMENT_REVOKED, Enrolment.objects.select_related("user").get(pk=enrolment_id), by, reason)
        return True


def do_extend(enrolment_id: uuid.UUID, by: User, reason: str, valid_until: datetime | None) -> bool:
    """Lets an enrolment last until `valid_until` (None: no end); False if it does already.

    Raises EnrolmentOver, and NotLonger where it would be shortened.
    """
    with transaction.atomic():
        enrolment = Enrolment.objects.select_for_update(of=("self",)).select_related("user").get(pk=enrolment_id)
        if enrolment.ended_at is not None:
            raise EnrolmentOver
        if enrolment.valid_until == valid_until:
            return False
        if not _is_longer(valid_until, enrolment.valid_until):
            raise NotLonger
        before, enrolment.valid_until = enrolment.valid_until, valid_until
        enrolment.save(update_fields=["valid_until"])
        _record(Kind.ENROLMENT_EXTENDED, enrolment, by, reason, before=before, until=valid_until)
        return True


def _is_longer(valid_until: datetime | None, than: datetime | None) -> bool:
    """Whether an enrolment until the one lasts longer than one until the other. None has no end."""
    return than is not None and (valid_until is None or valid_until > than)


def _record(kind: Kind, enrolment: Enrolment, by: User, reason: str, **times: datetime | None) -> None:
    """Under the person's name: whoever asks what happened to somebody finds it with them."""
    ids = {"enrolment": str(enrolment.pk), "course": str(enrolment.course_id)}
    told = {name: time and time.isoformat() for name, time in times.items()}
    record(kind, actor=by, subject=enrolment.user, **ids, **told, reason=reason)
