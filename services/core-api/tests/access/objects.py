"""Somebody's own objects, for the test that strangers do not find them: what `object` in routes.csv names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from accounts.models import LoginSession, User
from learning.certificates import do_issue
from learning.reviews import do_review
from media.models import Attachment, Caption
from payments.models import CreditPack, TopUp
from tests.conftest import person
from tests.factories import grant, lessons_of, make_course
from wallet import actions


@dataclass(frozen=True)
class Made:
    owner: User
    ids: dict[str, str]  # by their names in the routes


def course() -> Made:
    """An instructor's draft, with a section and an article that is no preview."""
    ines = person("ines", "instructor")
    made = make_course("her-course", instructor=ines, status="draft")
    lesson = lessons_of(made)[-1]
    kept = {"content_type": "text/plain", "size_bytes": 1, "sha256": "0" * 64, "path": "attachments/0/0"}
    attachment = Attachment.objects.create(lesson=lesson, name="notes.txt", **kept)
    Caption.objects.create(lesson=lesson, language="en", label="English", path="captions/0/0.vtt")
    ids = {"section": lesson.section_id, "lesson": lesson.pk, "attachment": attachment.pk}
    return Made(ines, {"slug": made.slug, "language": "en"} | {name: str(pk) for name, pk in ids.items()})


def order() -> Made:
    alice = person("alice")
    make_course("free", price=0)
    made, *_ = actions.do_purchase(alice, course="free")
    return Made(alice, {"pk": str(made.pk)})


def topup() -> Made:
    alice = person("alice")
    pack = CreditPack.objects.filter(is_active=True)[0]
    made = TopUp.objects.create(
        user=alice, pack=pack, provider="sandbox", credits=pack.credits, amount=pack.amount, currency=pack.currency
    )
    return Made(alice, {"pk": str(made.pk)})


def session() -> Made:
    alice = person("alice")
    return Made(alice, {"session": str(LoginSession.objects.create(user=alice).pk)})


def study() -> Made:
    """A course that is no longer sold, which its learner keeps."""
    alice = person("alice")
    made = make_course("kept", status="withdrawn")
    grant(alice, made)
    return Made(alice, {"slug": made.slug, "lesson": str(lessons_of(made)[-1].pk)})


def certificate() -> Made:
    alice = person("alice")
    made = do_issue(alice, make_course("done"))
    return Made(alice, {"code": made.code})


def review() -> Made:
    alice = person("alice")
    made = make_course("read")
    grant(alice, made)
    return Made(alice, {"pk": str(do_review(alice, made, rating=4, text="").pk)})


MAKERS: dict[str, Callable[[], Made]] = {
    "course": course,
    "order": order,
    "topup": topup,
    "session": session,
    "study": study,
    "certificate": certificate,
    "review": review,
}

# Bodies that are good, for routes that look at the body before they look for the object.
BODIES = {
    ("POST", "/api/v1/orders/{pk}/refund/"): '{"reason": "Asked for"}',
    ("PATCH", "/api/v1/me/"): '{"name": ""}',
    ("POST", "/api/v1/courses/{slug}/reviews/"): '{"rating": 5}',
    ("PUT", "/api/v1/lessons/{lesson}/progress/"): '{"position_s": 0, "client_time": "2026-01-01T00:00:00Z"}',
}
