"""Staff find people by what they remember of their names."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.finding import ids_named
from accounts.models import User
from mail.actions import do_queue


@pytest.fixture
def zoe(make_person) -> User:
    person: User = make_person("zoe.k")
    person.name = "Zoë Königsberg O'Hara"
    person.save()
    return person


@pytest.mark.parametrize(
    "asked", ["zoe.k", "ZOE", "k", "zoe.k@example.org", "Zoë", "konigs", "Königsberg Zoë", "example zoe", "o'hara k"]
)
@pytest.mark.postgres
def test_zoe_is_found_by_how_the_words_of_her_names_begin(alice: User, zoe: User, asked: str) -> None:
    assert list(User.objects.filter(pk__in=ids_named(asked))) == [zoe]


@pytest.mark.parametrize("asked", ["zoe alice", "oenigsberg", "---", "a'b:*|!", "zoë bob", "\\", "%"])
def test_nobody_is_found_by_other_words(alice: User, zoe: User, asked: str) -> None:
    assert list(User.objects.filter(pk__in=ids_named(asked))) == []


def test_lists_find_rows_by_whose_they_are_and_by_their_own_columns(alice: User, zoe: User, root: User) -> None:
    for person in (alice, zoe):
        do_queue("receipt", person, f"About {person.username[::-1]}", "Text")
    client = Client()
    client.force_login(root)
    for page, asked in (("accounts/user/", "zoe"), ("mail/mail/", "zoe"), ("mail/mail/", "k.eoz")):
        text = client.get(f"/admin/{page}", {"q": asked}).content.decode()
        assert 'id="searchbar"' in text
        assert "1 result" in text
        assert "zoe.k" in text


@pytest.mark.parametrize("asked", ["x" * 3000, "\N{SQUARE KIROMEETORU}" * 150, "zoe " + "x" * 3000])
def test_a_word_longer_than_postgresql_looks_for_is_nobodys(zoe: User, asked: str) -> None:
    assert list(User.objects.filter(pk__in=ids_named(asked))) == []
