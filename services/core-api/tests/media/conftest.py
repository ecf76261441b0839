"""A media folder of each test's own, and one packaged clip for all that only look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from media.packaging import make_package
from tests.media import clips


@pytest.fixture
def media_root(tmp_path, settings):
    settings.MEDIA_ROOT, settings.UPLOADS_ROOT = tmp_path / "media", tmp_path / "uploads"
    return settings.MEDIA_ROOT


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """Three seconds, small, with sound."""
    return clips.make(tmp_path_factory.mktemp("clip") / "clip.mp4", size="192x108", rate="10")


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """(source, folder, facts) of eight packaged seconds at 29.97 frames a second."""
    source = clips.make(tmp_path_factory.mktemp("long") / "long.mp4", size="854x480", rate="30000/1001", seconds=8)
    folder = tmp_path_factory.mktemp("package")
    return source, folder, make_package(source, folder, lambda percent: None)
