"""The demo that `make demo` and `make demo-data` load."""

from __future__ import annotations

import json
import stat

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from courses.models import Course
from media.actions import do_package
from media.demo import clips, content
from media.demo import courses as demo_courses
from media.management.commands import load_demo
from media.models import VideoAsset
from support.models import Category
from tests.media.clips import play
from wallet.models import Wallet

pytestmark = pytest.mark.usefixtures("database", "media_root")
PEOPLE = {"learner", "newcomer", "agent", "lead", "instructor", "admin"}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """One course, whose videos last three seconds."""
    monkeypatch.setattr(demo_courses, "COURSES", [content.SOUND])
    monkeypatch.setattr(clips, "SLOT_S", 0.5)
    monkeypatch.setattr(clips, "SPOKEN_S", 0.4)


def package_all():
    for asset in VideoAsset.objects.filter(status="queued"):
        do_package(asset.id)


def load(file, *options):
    call_command("load_demo", "--accounts-file", str(file), *options)
    return json.loads(file.read_text())


def test_it_loads_courses_people_and_credit_and_keeps_them(tmp_path, media_root, api, capsys):
    file = tmp_path / "accounts.json"
    first = load(file)
    assert "goes on sale when its videos are packaged" in capsys.readouterr().err
    package_all()
    assert load(file, "--wait") == first
    assert "is on sale" in capsys.readouterr().err
    assert load(file, "--wait") == first

    assert first["base_url"] == "http://127.0.0.1:8000"
    assert set(first["accounts"]) == PEOPLE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    course = Course.objects.get(status="published")
    assert 0 < course.price <= Wallet.objects.get(user__username="demo-learner").balance
    assert VideoAsset.objects.count() == 2
    for package in (asset.package for asset in VideoAsset.objects.all()):
        assert play(media_root / package.path / "video-360.m3u8")[0] == pytest.approx(3, abs=0.05)
        assert {caption.language for caption in package.lesson.captions.all()} == {"en", "de"}
    page = api.get(f"/api/v1/courses/{course.slug}/").json()
    kinds = {(lesson["kind"], lesson["is_preview"]) for s in page["sections"] for lesson in s["lessons"]}
    assert kinds == {("video", True), ("video", False), ("article", False)}

    for account in first["accounts"].values():
        user = User.objects.get(username=account["username"])
        assert user.check_password(account["password"])
        assert len(account["password"]) >= 16
    agent = User.objects.get(username="demo-agent")
    assert agent.is_staff
    assert agent.has_perm("support.answer")
    assert agent.agent.skills.count() == Category.objects.count()
    assert User.objects.get(username="demo-admin").is_superuser
    assert User.objects.get(username="demo-instructor").has_perm("courses.manage")


def test_everybody_has_a_password_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_courses, "COURSES", [])
    accounts = load(tmp_path / "accounts.json")["accounts"]
    passwords = {account["password"] for account in accounts.values()}
    assert len(passwords) == len(PEOPLE)


def test_a_lost_file_means_new_passwords_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo_courses, "COURSES", [])
    file = tmp_path / "accounts.json"
    first = load(file)["accounts"]["learner"]
    file.unlink()
    second = load(file)["accounts"]["learner"]
    learner = User.objects.get(username="demo-learner")
    assert not learner.check_password(first["password"])
    assert learner.check_password(second["password"])
    assert learner.generation == 1  # who was logged in with the old one is logged out
    assert "New passwords for learner" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told_before_anybody_gets_a_password(tmp_path):
    with pytest.raises(CommandError, match=r"cannot be written into .*: No such file or directory"):
        call_command("load_demo", "--accounts-file", str(tmp_path / "missing" / "accounts.json"))
    with pytest.raises(CommandError, match="Is a directory"):
        call_command("load_demo", "--accounts-file", str(tmp_path))
    assert not User.objects.filter(username__startswith="demo-").exists()


def test_accounts_are_the_last_line_of_stdout(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo_courses, "COURSES", [])
    call_command("load_demo", "--accounts-file", "-")
    first = json.loads(capsys.readouterr().out.splitlines()[-1])
    known = tmp_path / "known.json"
    known.write_text(json.dumps(first))
    call_command("load_demo", "--known-accounts", str(known))
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == first


def test_a_failed_video_ends_the_wait_with_the_reason(tmp_path, monkeypatch):
    load(tmp_path / "accounts.json")
    VideoAsset.objects.update(status="failed", error="The file is empty.")
    monkeypatch.setattr(load_demo, "load_courses", lambda *arguments: list(Course.objects.all()))
    with pytest.raises(CommandError, match="The file is empty"):
        load(tmp_path / "accounts.json", "--wait")


def test_a_packager_that_does_not_run_is_suspected(tmp_path, monkeypatch, capsys):
    load(tmp_path / "accounts.json")
    for name, seconds in (("HINT_S", 0.05), ("STUCK_S", 0.2), ("LOOK_EVERY_S", 0.02)):
        monkeypatch.setattr(load_demo, name, seconds)
    with pytest.raises(CommandError, match="packager"):
        load(tmp_path / "accounts.json", "--wait")
    assert "Packaging: 0 of 2 videos, 0 %" in capsys.readouterr().err
