"""Instructors copy, export and import courses in the admin site."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.models import User
from courses.models import Course
from tests.admin_pages import act
from tests.archives.conftest import archive_of, minimal
from tests.factories import make_course

LIST = "/admin/courses/course/"
IMPORT = f"{LIST}import/"


@pytest.fixture
def desk(client, ines, baking):
    User.objects.filter(pk=ines.pk).update(is_staff=True)
    client.force_login(ines)
    return client


def send(client, archive, button):
    return client.post(IMPORT, {"file": SimpleUploadedFile("a.zip", archive), button: "yes"}, follow=True)


def test_ines_duplicates_a_course_once_however_often_she_clicks(desk, baking, ines):
    assert act(desk, LIST, "duplicate", baking, times=2) == ['"Baking (copy)" is a draft at baking-copy.']
    assert Course.objects.filter(instructors=ines).count() == 2
    assert "Duplicate" in desk.get(reverse("admin:courses_course_change", args=[baking.pk])).content.decode()


def test_ines_duplicates_two_courses_at_once(desk, baking, ines):
    cooking = make_course("cooking", instructor=ines)
    said = act(desk, LIST, "duplicate", baking, cooking, times=2)
    assert sorted(said) == [
        '"Baking (copy)" is a draft at baking-copy.',
        '"Cooking (copy)" is a draft at cooking-copy.',
    ]
    assert Course.objects.filter(instructors=ines).count() == 4
    newer = make_course("newer")
    assert Course.objects.order_by("-id").first() == newer  # the list's order


def test_ines_exports_a_course_and_imports_it_again(desk, baking):
    page = desk.get(reverse("admin:courses_course_change", args=[baking.pk])).content.decode()
    address = reverse("admin:courses_course_export", args=[baking.pk])
    assert address in page
    archive = b"".join(desk.get(address).streaming_content)
    assert IMPORT in desk.get(LIST).content.decode()
    looked = send(desk, archive, "check").content.decode()
    assert "can be imported: 2 sections" in looked
    assert Course.objects.count() == 1
    assert "is a draft at baking-2" in send(desk, archive, "import").content.decode()


def test_what_is_wrong_with_an_archive_stands_there_by_place(desk):
    broken = archive_of(minimal(sections=[{"title": "P", "lessons": [{"title": "<b>", "kind": "podcast"}]}])).getvalue()
    page = send(desk, broken, "import").content.decode()
    assert "sections[0].lessons[0].kind" in page
    assert "&quot;podcast&quot; is not a valid choice." in page
    assert Course.objects.count() == 1
    assert "This field is required" in desk.post(IMPORT, {"import": "yes"}).content.decode()


def test_a_course_of_somebody_else_is_not_there(desk):
    foreign = make_course("his")
    assert desk.get(reverse("admin:courses_course_export", args=[foreign.pk])).status_code == 404
    act_page = desk.post(LIST, {"action": "duplicate", "_selected_action": [str(foreign.pk)]}, follow=True)
    assert "form" not in act_page.context or not act_page.context["allowed"]


def test_who_manages_no_courses_imports_none(client, fiona):
    client.force_login(fiona)
    assert client.get(IMPORT).status_code == 403


def test_a_course_whose_files_are_gone_says_so(desk, baking, media_root):
    (media_root / baking.poster).unlink(missing_ok=True)
    Course.objects.filter(pk=baking.pk).update(poster="posters/gone/x.jpg")
    answer = desk.get(reverse("admin:courses_course_export", args=[baking.pk]), follow=True)
    assert "not in storage" in answer.content.decode()
