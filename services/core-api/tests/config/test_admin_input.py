"""What no page of the admin site could have sent: it is refused as malformed, by every list and page, and is no fault of ours."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import User

LISTS = [
    reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    for model in admin.site._registry
    if model._meta.app_label not in ("published", "procrastinate")
]


@pytest.fixture
def site(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def test_no_address_holds_a_nul(site: Client) -> None:
    for path in LISTS:
        for query in ("?id=%00", "?status__exact=a%00b", "?%00=1", "add/?name=%00", "%00/change/"):
            answer = site.get(path + query, headers={"Accept": "text/html"})
            assert answer.status_code == 400, path + query
    assert "The request is malformed." in answer.content.decode()
    assert site.get("/admin/autocomplete/?term=%00").status_code == 400


def test_strangers_are_asked_to_log_in_first(client: Client) -> None:
    assert client.get(f"{LISTS[0]}?id=%00").status_code == 302


@pytest.mark.parametrize("chosen", ["abc", "\0", ""])
def test_rows_are_chosen_by_their_ids_alone(site: Client, chosen: str) -> None:
    form = {"action": "deactivate", "_selected_action": chosen}
    assert site.post("/admin/accounts/user/", form).status_code == 400


def test_a_pack_of_a_name_that_no_column_holds_is_not_looked_for(site: Client) -> None:
    form = {"action": "delete_selected", "_selected_action": "\0"}
    assert site.post("/admin/payments/creditpack/", form).status_code == 400
