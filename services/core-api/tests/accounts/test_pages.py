"""The two pages that mails link to."""

from __future__ import annotations

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client


@pytest.mark.parametrize("path", ["/account/verify/", "/account/reset/"])
def test_the_pages_need_nothing_but_our_own_script_and_style(path: str) -> None:
    answer = Client().get(path)
    text = answer.content.decode()
    policy = answer["Content-Security-Policy"]
    assert answer.status_code == 200
    for rule in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"):
        assert rule in policy
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Cache-Control"] == "no-store"
    assert not re.search(r"<script>| on\w+=|<style| style=|https?://", text)
    files = re.findall(r"(?:src|href)=\"/static/([^\"]+)\"", text)
    assert len(files) == 3
    assert all(finders.find(name) for name in files)
    assert Client().post(path).status_code == 405


def test_the_forms_post_to_routes_that_there_are() -> None:
    for path in ("/account/verify/", "/account/reset/"):
        for url in re.findall(r"data-url=\"([^\"]+)\"", Client().get(path).content.decode()):
            answer = Client().post(url, "{}", content_type="application/json")
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
