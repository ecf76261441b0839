"""`manage.py runserver` without nginx in front."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.http import Http404
from django.test import RequestFactory
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RegexPattern, URLResolver

from tests.environment import SERVICE


@pytest.mark.usefixtures("database")  # which a file that was sent has closed
@pytest.mark.parametrize("debug", [True, False])
def test_posters_are_served_without_nginx_in_development_alone(settings: Any, tmp_path: Path, debug: bool) -> None:
    settings.DEBUG, settings.MEDIA_ROOT = debug, tmp_path
    poster = tmp_path / "posters" / "knots" / "0a.jpg"
    poster.parent.mkdir(parents=True)
    poster.write_bytes(b"a picture")
    (tmp_path / "secret").write_text("not a poster")
    routes = URLResolver(RegexPattern("^/"), runpy.run_path(str(SERVICE / "config" / "urls_system.py"))["urlpatterns"])

    def got(path: str) -> Any:
        view, args, kwargs = routes.resolve(path)
        return view(RequestFactory().get(path), *args, **kwargs)

    if not debug:
        with pytest.raises(Resolver404):
            got("/posters/knots/0a.jpg")
        return
    answer = got("/posters/knots/0a.jpg")
    assert (answer["Content-Type"], b"".join(answer)) == ("image/jpeg", b"a picture")
    answer.close()
    for other in ("/posters/../secret", "/posters/knots/", "/posters/knots/0b.jpg"):
        with pytest.raises((Http404, SuspiciousFileOperation)):
            got(other)
