"""The admin site's page that uploads a lesson's video; what it does in a browser, tests/browser/test_uploading.py shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accounts.test_admin_site import admin_of
from tests.factories import make_course, make_lesson

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def lesson(ines):
    return make_lesson(make_course(lessons=0, instructor=ines).sections.get(), kind="video")


def test_a_video_lessons_page_leads_to_it(root, lesson):
    site, path = admin_of(root), f"/admin/courses/lesson/{lesson.pk}/"
    assert f'href="{path}video/"' in site.get(f"{path}change/").content.decode()
    page = site.get(f"{path}video/").content.decode()
    assert f'data-lesson="{lesson.pk}"' in page
    assert '<script src="/static/media/vendor/tus.min.js" defer></script>' in page
    article = make_lesson(lesson.section, 2, kind="article")
    assert site.get(f"/admin/courses/lesson/{article.pk}/video/").status_code == 404
    assert "Upload a video" not in site.get(f"/admin/courses/lesson/{article.pk}/change/").content.decode()


def test_it_is_for_those_who_may_change_the_course(make_person, fiona, ines, lesson):
    page = f"/admin/courses/lesson/{lesson.pk}/video/"
    fiona.is_staff = True
    fiona.save()
    another = make_person("ivan", "instructor", is_staff=True)
    assert [admin_of(person).get(page).status_code for person in (ines, another, fiona)] == [200, 404, 403]


def test_every_part_that_the_script_names_is_on_the_page():
    media = Path(__file__).resolve().parents[2] / "media"
    script, page = ((media / path).read_text() for path in ("static/media/upload.js", "templates/media/upload.html"))
    named = [line.split('"')[1] for line in script.splitlines() if "getElementById" in line]
    assert named
    assert [name for name in named if f'id="{name}"' not in page] == []
    assert "Upload-Expires" in script  # how long an upload is kept is the gateway's to say (LECTERN_UPLOAD_EXPIRY)
    assert "days" not in page
