"""Certificates: who finished what, for everybody to check."""

from __future__ import annotations

import io
import re

import pytest
from django.test import Client
from pypdf import PdfReader

from audit.models import Event
from courses.models import Course
from learning.certificates import do_issue
from learning.models import Certificate
from privacy.erasing import erase
from tests.admin_pages import act
from tests.factories import make_course
from tests.learning.conftest import film, have, progress, reported

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def certificate(alice):
    return do_issue(alice, make_course("bread", title="Bread & butter"))


def test_whoever_completes_a_course_has_a_certificate_once(clock, api, alice):
    course, lessons = film("film", 10, articles=1)
    have(alice, course)
    client = api.as_(alice)
    reported(client, lessons[0], [0, 10])
    assert progress(client, course)["certificate"] is None
    reported(client, lessons[1])
    code = progress(client, course)["certificate"]
    assert re.fullmatch("[0-9a-hjkmnp-tv-z]{20}", code)
    reported(client, lessons[1])
    assert [each["certificate"] for each in client.get("/api/v1/enrolments/").json()["results"]] == [code]
    [mine] = client.get("/api/v1/certificates/").json()["results"]
    assert (mine["code"], mine["course"], mine["name"]) == (code, "film", "Alice")


def test_a_lesson_that_is_added_later_leaves_the_certificate(clock, api, alice):
    course, [article] = film("text", articles=1)
    have(alice, course)
    client = api.as_(alice)
    reported(client, article)
    article.pk = None
    article.save(force_insert=True)
    assert progress(client, course)["percent"] == 50
    assert progress(client, course)["certificate"]


def test_anybody_checks_it_by_its_code(api, certificate):
    typed = "-".join(re.findall(".{5}", certificate.code.upper())).replace("0", "O")
    for code in (certificate.code, typed):
        checked = api.get(f"/api/v1/certificates/{code}/").json()
        assert checked == {
            "code": certificate.code,
            "name": "Alice",
            "title": "Bread & butter",
            "completed_at": f"{certificate.completed_at:%Y-%m-%dT%H:%M:%S}Z",
            "page_url": f"http://127.0.0.1:8000/certificates/{certificate.code}/",
        }
    unknown = api.get("/api/v1/certificates/aaaaaaaaaaaaaaaaaaaa/")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


def test_names_are_those_of_that_day(api, alice, certificate):
    Course.objects.update(title="Something else")
    alice.name = "Another"
    alice.save()
    checked = api.get(f"/api/v1/certificates/{certificate.code}/").json()
    assert (checked["name"], checked["title"]) == ("Alice", "Bread & butter")


def test_the_page_for_people_says_the_same(certificate):
    page = Client().get(f"/certificates/{certificate.code}/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "<strong>Alice</strong> completed the course <strong>Bread &amp; butter</strong>" in text
    assert 'src="data:image/svg+xml' in text
    assert page["Cache-Control"] == "no-store"
    missing = Client().get("/certificates/aaaaaaaaaaaaaaaaaaaa/")
    assert (missing.status_code, "No such certificate" in missing.content.decode()) == (404, True)


def test_its_person_alone_gets_it_as_pdf(api, alice, bob, certificate):
    path = f"/api/v1/certificates/{certificate.code}/certificate.pdf"
    answer = api.as_(alice).get(path, headers={"Accept": "application/pdf"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["Content-Disposition"] == f'attachment; filename="certificate-{certificate.code}.pdf"'
    [page] = PdfReader(io.BytesIO(answer.content)).pages
    text = " ".join(page.extract_text().split())
    for said in ("Alice", "Bread & butter", f"http://127.0.0.1:8000/certificates/{certificate.code}/"):
        assert said in text
    assert answer.content == api.as_(alice).get(path).content
    assert api.as_(bob).get(path).status_code == 404
    assert api.get(path).status_code == 401


@pytest.mark.parametrize("name", ["李小龙", "<b>Ines</b> & co", "W" * 100, "שלום", "\x00\ud83d"])
def test_any_name_makes_a_page(alice, name):
    from learning.certificate_pdf import certificate_pdf

    made = Certificate(user=alice, course=make_course(title="T" * 200), name=name, title="T" * 200)
    assert len(PdfReader(io.BytesIO(certificate_pdf(made))).pages) == 1


def test_staff_revoke_and_reinstate_it(client, api, root, certificate):
    client.force_login(root)
    path = "/admin/learning/certificate/"
    assert act(client, path, "revoke", certificate, reason="Not theirs", times=2)[0].endswith("revoked already.")
    revoked = api.get(f"/api/v1/certificates/{certificate.code}/")
    assert (revoked.status_code, revoked.json()["code"]) == (410, "certificate_revoked")
    assert "Alice" not in revoked.content.decode()
    page = Client().get(f"/certificates/{certificate.code}/")
    assert (page.status_code, "Not valid" in page.content.decode(), "Alice" in page.content.decode()) == (
        410,
        True,
        False,
    )
    assert api.as_(certificate.user).get("/api/v1/certificates/").json()["count"] == 0
    do_issue(certificate.user, certificate.course)  # completing the course again is no way around it
    assert api.get(f"/api/v1/certificates/{certificate.code}/").status_code == 410
    act(client, path, "reinstate", certificate, reason="A mistake")
    assert api.get(f"/api/v1/certificates/{certificate.code}/").status_code == 200
    events = Event.objects.filter(subject_id=str(certificate.user_id)).order_by("at")
    assert [event.kind for event in events] == ["certificate_revoked", "certificate_reinstated"]


def test_of_an_erased_person_nothing_is_told(api, alice, certificate):
    erase(alice, alice, forfeit_credit=False)
    gone = api.get(f"/api/v1/certificates/{certificate.code}/")
    assert (gone.status_code, "Alice" in gone.content.decode()) == (404, False)


def test_eight_at_once_are_one(at_once, alice):
    course = make_course()
    issued = at_once(8, lambda n: do_issue(alice, course).code)
    assert len(set(issued)) == 1
