"""Roles are data: what an admin gives a group or takes from it in the admin site holds at all three services."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import httpx

from e2e.people import Person, wait_for
from e2e.test_ending_access import fields, staff

__all__ = ["staff"]  # the admin, logged in to the admin site

EVERYBODY = "learner"  # what this group may, every person may


def test_a_permission_is_given_and_taken_at_all_three_services(
    alice: Person, staff: httpx.Client, lesson: dict[str, Any]
) -> None:
    her_id = alice.get("/api/v1/me/").json()["id"]
    paths = (f"/api/v1/wallets/{her_id}/", "/chat/v1/agents/", f"/stream/v1/lessons/{lesson['id']}/video")

    def statuses() -> set[int]:
        return {alice.http.get(path, headers={"Range": "bytes=0-9"}).status_code for path in paths}

    assert statuses() == {403}
    give(staff, ["Adjust", "Lead", "Watch any"])
    try:
        wait_for(statuses, lambda seen: seen <= {200, 206}, seconds=5)
    finally:
        give(staff, [])
    wait_for(statuses, lambda seen: seen == {403}, seconds=1)


def give(staff: httpx.Client, permissions: Sequence[str]) -> None:
    """Everybody's role gets these permissions, by their last words in the admin site, and no others."""
    number = re.search(rf'/admin/auth/group/(\d+)/change/">{EVERYBODY}<', staff.get("/admin/auth/group/").text)
    assert number
    path = f"/admin/auth/group/{number[1]}/change/"
    page = staff.get(path).text
    offered = {said.split(" | ")[-1]: value for value, said in re.findall(r'<option value="(\d+)"[^>]*>([^<]*)<', page)}
    form = fields(page) | {"name": EVERYBODY, "permissions": [offered[said] for said in permissions]}
    saved = staff.post(path, data=form, headers={"Referer": f"{staff.base_url}{path}"})
    assert "was changed successfully" in saved.text
