"""The admin pages of courses, videos, enrolments and the support desk."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.models import Event
from courses.models import Course, Tag
from media.models import VideoAsset
from support.models import Agent, Category, Skill
from tests import books
from tests.admin_pages import act as confirm
from tests.factories import grant, lessons_of, make_course, make_lesson, make_package

PAGES = [
    *("courses_course", "courses_section", "courses_lesson", "courses_category", "courses_tag"),
    *("media_videoasset", "media_package", "media_caption", "learning_enrolment", "support_agent", "support_category"),
]


@pytest.fixture
def admin(root, client):
    client.force_login(root)
    return client


def fill(make_person, number):
    course = make_course(f"course-{number}", instructor=make_person(f"ines{number}", "instructor"))
    lesson = make_lesson(course.sections.get(), 9, kind="video")
    make_package(lesson)
    course.tags.create(slug=f"tag-{number}", name=f"Tag {number}")
    lesson.captions.create(language="en", label="English", path=f"captions/{number}.vtt")
    person = make_person(f"person{number}")
    grant(person, course)
    agent = Agent.objects.create(user=person)
    Skill.objects.create(agent=agent, category=Category.objects.first())


def queries(client, path):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize("page", PAGES)
def test_lists_need_no_more_queries_for_more_rows(admin, make_person, page):
    path = reverse(f"admin:{page}_changelist")
    fill(make_person, 0)
    few = queries(admin, path)
    for number in range(1, 5):
        fill(make_person, number)
    assert queries(admin, path) <= few
    assert admin.get(path, {"q": "course"}).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_forms_open(admin, make_person, page):
    fill(make_person, 0)
    if page not in ("media_videoasset", "media_package", "media_caption", "learning_enrolment"):
        assert admin.get(reverse(f"admin:{page}_add")).status_code == 200
    shown = admin.get(reverse(f"admin:{page}_changelist")).context["cl"].result_list[0]
    assert admin.get(reverse(f"admin:{page}_change", args=[shown.pk])).status_code == 200


def act(client, page, action, *rows):
    path = reverse(f"admin:{page}_changelist")
    answer = client.post(path, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)
    return [str(message) for message in answer.context["messages"]]


def test_publishing_names_what_is_missing(admin):
    course = make_course(status="draft", summary="", sections=0)
    assert act(admin, "courses_course", "publish", course) == [
        "Baking is incomplete: The course has no summary. The course has no section."
    ]
    course = make_course("whole", status="draft")
    assert act(admin, "courses_course", "publish", course) == ["Whole is on sale."]
    assert act(admin, "courses_course", "withdraw", course) == ["Whole is not on sale."]
    course.refresh_from_db()
    assert course.status == "draft"
    changes = Event.objects.filter(kind="admin_changed", subject_id=str(course.pk)).order_by("id")
    assert [event.detail for event in changes] == [{"what": "Published."}, {"what": "Taken off sale."}]


def test_a_course_is_published_and_withdrawn_on_its_own_page(admin):
    course = make_course(status="draft")
    own = reverse("admin:courses_course_change", args=[course.pk])
    publish, withdraw = ">Publish</button>", ">Take off sale (who has it keeps it)</button>"
    page = admin.get(own).content.decode()
    assert (publish in page, withdraw in page) == (True, False)
    chosen = {"action": "publish", "_selected_action": [course.pk], "back": own}
    answer = admin.post(reverse("admin:courses_course_changelist"), chosen, follow=True)
    assert answer.redirect_chain == [(own, 302)]
    page = answer.content.decode()
    assert "Baking is on sale." in page
    assert (publish in page, withdraw in page) == (False, True)


def test_a_failed_video_is_packaged_again(admin):
    lesson = make_lesson(make_course(lessons=0).sections.get(), kind="video", title="Kneading")
    asset = VideoAsset.objects.create(lesson=lesson, source="x", status="failed", error="x")
    videos = reverse("admin:media_videoasset_changelist")
    assert confirm(admin, videos, "retry", asset) == ["The video of Kneading is queued."]
    assert confirm(admin, videos, "retry", asset) == ["The video of Kneading has not failed."]
    event = Event.objects.get(kind="packaging_retried")
    assert (event.subject_id, event.detail) == (str(asset.pk), {"lesson": str(lesson.pk)})


def test_sections_are_reordered_in_the_course_form(admin):
    course = make_course(sections=2, lessons=0)
    first, second = course.sections.order_by("position")
    form = {name: getattr(course, name) for name in ("title", "summary", "description", "price", "level", "language")}
    rows = {"TOTAL_FORMS": 2, "INITIAL_FORMS": 2}
    for number, (section, position) in enumerate(((first, 7), (second, 3))):
        rows |= {f"{number}-id": section.pk, f"{number}-title": section.title, f"{number}-position": position}
    form |= {f"sections-{name}": value for name, value in rows.items()}
    answer = admin.post(
        reverse("admin:courses_course_change", args=[course.pk]), form | {"category": course.category_id}
    )
    assert answer.status_code == 302, answer.context["errors"]
    assert list(course.sections.values_list("title", "position")) == [("Part 2", 1), ("Part 1", 2)]


def fields_of(client, path):
    """The values that a page's form would send unchanged."""
    form = client.get(path).context["adminform"].form
    return {name: form[name].value() if form[name].value() is not None else "" for name in form.fields}


def test_a_section_of_many_lessons_is_saved(admin):
    section = make_course(lessons=200).sections.get()
    path = reverse("admin:courses_section_change", args=[section.pk])
    (inline,) = admin.get(path).context["inline_admin_formsets"]
    form = {"title": section.title, "position": 1, "lessons-TOTAL_FORMS": 200, "lessons-INITIAL_FORMS": 200}
    for row in inline.formset.forms:
        form |= {row.add_prefix(name): row[name].value() or "" for name in row.fields}
    form[inline.formset.forms[150].add_prefix("title")] = "Kneading"
    answer = admin.post(path, form)
    assert answer.status_code == 302, answer.context
    assert [lesson.position for lesson in section.lessons.filter(title="Kneading")] == [151]


def test_a_managers_choice_of_instructors_and_tags(client, make_person, ines):
    client.force_login(make_person("mona", "course_manager", is_staff=True))
    make_person("leo")
    course, tag = make_course(sections=0), Tag.objects.create(slug="oven", name="Oven")
    path = reverse("admin:courses_course_change", args=[course.pk])
    offered = client.get(path).context["adminform"].form.fields["instructors"].queryset
    assert {person.username for person in offered} == {"ines", "mona"}
    rows = {"sections-TOTAL_FORMS": 0, "sections-INITIAL_FORMS": 0}
    form = fields_of(client, path) | rows | {"instructors": [ines.pk], "tags": [tag.pk]}
    assert client.post(path, form).status_code == 302
    assert ([*course.instructors.all()], [*course.tags.all()]) == ([ines], [tag])
    refused = client.post(path, form | {"summary": ""})
    assert refused.context["errors"] == [["The course has no summary."]]
    Course.objects.filter(pk=course.pk).update(status="draft")
    assert client.post(path, form | {"summary": ""}).status_code == 302
    course.refresh_from_db()
    assert (course.summary, course.status) == ("", "draft")


def test_what_the_api_refuses_is_refused_here_too(admin):
    """Else a course cannot be reached, or its archive not be imported."""
    category = make_course().category_id
    tags = [Tag.objects.create(slug=f"tag-{number}", name=f"Tag {number}").pk for number in range(21)]
    path = reverse("admin:courses_course_add")
    rows = {"sections-TOTAL_FORMS": 0, "sections-INITIAL_FORMS": 0}
    form = fields_of(admin, path) | rows | {"title": "Import", "slug": "import", "price": 1, "category": category}
    errors = admin.post(path, form | {"tags": tags, "instructors": []}).context["adminform"].form.errors
    assert errors == {
        "slug": ["This address is taken by the API itself. Choose another."],
        "tags": ["A course has at most 20 tags."],
    }
    lesson = lessons_of(make_course("other"))[1]
    path = reverse("admin:courses_lesson_change", args=[lesson.pk])
    form = fields_of(admin, path) | {"opens_on_0": "", "opens_on_1": ""}
    del form["is_preview"]
    errors = admin.post(path, form | {"body": "x" * 200_001}).context["adminform"].form.errors
    assert "at most 200000 characters" in str(errors["body"])
    assert admin.post(path, form | {"body": "x" * 200_000}).status_code == 302


def test_a_lesson_moves_within_its_course_and_shows_its_article(admin):
    course = make_course(sections=2, lessons=1)
    make_course("other")
    lesson = lessons_of(course)[0]
    path = reverse("admin:courses_lesson_change", args=[lesson.pk])
    assert "<h1>Flour</h1>" in admin.get(path).content.decode()
    offered = admin.get(path).context["adminform"].form.fields["section"].queryset
    assert [section.title for section in offered] == ["Part 1", "Part 2"]
    form = fields_of(admin, path) | {"opens_after_days": 3, "opens_on_0": "", "opens_on_1": ""}
    both = admin.post(path, form | {"is_preview": "on"})
    assert "Say when the lesson opens in one way" in str(both.context["errors"])
    second = course.sections.get(title="Part 2")
    del form["is_preview"]
    answer = admin.post(path, form | {"section": second.pk})
    assert answer.status_code == 302, answer.context["errors"]
    lesson.refresh_from_db()
    assert (lesson.section, lesson.opens_after_days, lesson.is_preview) == (second, 3, False)


@pytest.mark.parametrize("fixed", [{"is_preview": True}, {"opens_on": datetime(2030, 1, 1, tzinfo=UTC)}])
def test_a_lesson_that_opens_in_two_ways_is_refused_on_its_sections_page_too(admin, fixed):
    section = make_course(lessons=0).sections.get()
    lesson = make_lesson(section, **fixed)
    path = reverse("admin:courses_section_change", args=[section.pk])
    form = {"title": section.title, "position": 1, "lessons-TOTAL_FORMS": 1, "lessons-INITIAL_FORMS": 1}
    row = {"id": lesson.pk, "title": "Flour", "position": 1, "kind": "article", "opens_after_days": 3}
    row |= {"is_preview": "on"} if lesson.is_preview else {}
    refused = admin.post(path, form | {f"lessons-0-{name}": value for name, value in row.items()})
    assert "Say when the lesson opens in one way" in str(refused.context["errors"])
    row["opens_after_days"] = ""
    assert admin.post(path, form | {f"lessons-0-{name}": value for name, value in row.items()}).status_code == 302


def test_a_section_is_chosen_for_a_lesson_page_by_page(admin):
    course = make_course(sections=25, lessons=0)
    asked = {"app_label": "courses", "model_name": "lesson", "field_name": "section", "term": "part"}
    pages = [admin.get("/admin/autocomplete/", asked | {"page": page}).json()["results"] for page in (1, 2)]
    newest_first = course.sections.order_by("-id").values_list("pk", flat=True)
    assert [found["id"] for page in pages for found in page] == [str(pk) for pk in newest_first]


def test_what_people_have_is_not_deleted_here_either(admin, alice):
    course = make_course(sections=2, lessons=1)
    lesson, _ = lessons_of(course)
    videos = make_lesson(make_course("free-to-go", sections=1, lessons=0).sections.get(), kind="video")
    make_package(videos)
    grant(alice, course)
    for page, row in (("course", course), ("section", lesson.section), ("lesson", lesson)):
        path = reverse(f"admin:courses_{page}_delete", args=[row.pk])
        assert admin.get(path).context["protected"]
        assert admin.post(path, {"post": "yes"}).status_code == 200
    assert lessons_of(course)[0] == lesson
    for page, row in (("lesson", videos), ("section", videos.section), ("course", videos.section.course)):
        path = reverse(f"admin:courses_{page}_delete", args=[row.pk])
        assert admin.post(path, {"post": "yes"}).status_code == 302
        assert not type(row).objects.filter(pk=row.pk).exists()


def test_a_course_is_not_deleted_out_of_a_bundle_here_either(admin):
    course = make_course()
    books.bundle("oven", 60, "baking")
    path = reverse("admin:courses_course_delete", args=[course.pk])
    assert admin.get(path).context["protected"] == ["The bundle is sold with it: Oven"]
    assert admin.post(path, {"post": "yes"}).status_code == 200
    assert Course.objects.filter(pk=course.pk).exists()


def test_instructors_with_access_to_the_admin_site_see_their_own(ines, client, root):
    from django.contrib.auth.models import Permission

    ines.user_permissions.add(Permission.objects.get(codename="change_course"))
    mine, other = make_course("mine", instructor=ines), make_course("other")
    client.force_login(ines)
    listed = client.get(reverse("admin:courses_course_changelist")).context["cl"].result_list
    assert [course.slug for course in listed] == ["mine"]
    assert client.get(reverse("admin:courses_course_change", args=[mine.pk])).status_code == 200
    assert client.get(reverse("admin:courses_course_change", args=[other.pk])).status_code == 302
    assert lessons_of(other)
