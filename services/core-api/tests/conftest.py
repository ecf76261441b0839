"""Fixtures that every app's tests share: the database, the people and their API clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests import environment

environment.prepare()

import django  # noqa: E402  settings are read from the environment that was prepared above

django.setup()

from django.conf import settings  # noqa: E402  needs Django set up
from django.contrib.auth.models import Group  # noqa: E402  needs Django set up
from django.db import connections  # noqa: E402  needs Django set up
from rest_framework.test import APIClient  # noqa: E402  needs Django set up

from tests import databases  # noqa: E402  needs Django set up

if TYPE_CHECKING:
    from accounts.models import User

PASSWORD = "correct horse battery staple"
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Argon2 is slow on purpose


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if environment.ON_POSTGRES:
        return
    skip = pytest.mark.skip(reason="needs PostgreSQL: set LECTERN_TEST_POSTGRES (make test-core)")
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def django_db_setup() -> Iterator[None]:
    databases.make_migrated()
    yield
    connections.close_all()
    databases.drop()


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[str]:
    """A database of this test's own, where commits are real and threads may connect; gives its name.

    Each thread closes what it opened: `connections.close_all()`, or use the fixture `at_once`.
    """
    with django_db_blocker.unblock(), databases.fresh_copy() as name:
        yield name


race_db = committed_db


@pytest.fixture
def database(request: pytest.FixtureRequest) -> None:
    """The test's own copy if it asked for one, else the shared database inside a transaction that is rolled back."""
    own = {"committed_db", "race_db"} & set(request.fixturenames)
    request.getfixturevalue(own.pop() if own else "db")


@pytest.fixture
def at_once(committed_db: str) -> Callable[..., list[object]]:
    """`at_once(16, call)` runs `call(n)` in 16 threads that start together; gives the results, exceptions among them."""
    from tests.threads import at_once as run

    return run


def person(username: str, *groups: str, **fields: object) -> User:
    from accounts.models import User

    email = f"{username}@example.org"
    user = User.objects.create_user(username, email, PASSWORD, name=username.title(), **fields)
    user.groups.set(Group.objects.get_or_create(name=name)[0] for name in groups)
    return user


@pytest.fixture
def make_person(database: None) -> Callable[..., User]:
    """`make_person("carol", "instructor", is_staff=True)`: a username, groups, fields."""
    return person


@pytest.fixture
def alice(database: None) -> User:
    return person("alice")


@pytest.fixture
def bob(database: None) -> User:
    return person("bob")


@pytest.fixture
def ines(database: None) -> User:
    return person("ines", "instructor", is_staff=True)


@pytest.fixture
def agnes(database: None) -> User:
    return person("agnes", "support_agent")


@pytest.fixture
def fiona(database: None) -> User:
    return person("fiona", "finance", is_staff=True)


@pytest.fixture
def root(database: None) -> User:
    return person("root", "admin", is_staff=True, is_superuser=True)


class Api(APIClient):
    """Calls the API in JSON. `api.as_(alice)` is another client that sends an access token of hers."""

    default_format = "json"

    def as_(self, user: User) -> Api:
        from accounts.models import LoginSession
        from accounts.tokens import AccessToken

        client = Api()
        token = AccessToken.of(user, LoginSession.objects.create(user=user))
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client


@pytest.fixture
def api(database: None) -> Api:
    return Api()
