"""The support desk that a new installation has."""

from __future__ import annotations

import pytest

from support.models import Category


@pytest.mark.usefixtures("database")
def test_a_new_installation_has_categories():
    assert list(Category.objects.filter(is_active=True).values_list("slug", flat=True)) == [
        "billing",
        "video-playback",
        "course-content",
        "other",
    ]
