"""Tests marked `compose` need the stack that deploy/bin/test-compose started; the others read files."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a stack its tests are left out, as `make test-compose` is where they run."""
    if os.environ.get("LECTERN_E2E_BASE_URL") and os.environ.get("COMPOSE_PROJECT_NAME"):
        return
    left_out = [item for item in items if item.get_closest_marker("compose")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def base_url() -> str:
    return os.environ["LECTERN_E2E_BASE_URL"].rstrip("/")
