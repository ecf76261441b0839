"""Browsers never put together modules of two releases: each names the very ones that belong to it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from config.static_files import HashedStaticFiles

SOURCE = Path(__file__).resolve().parents[2] / "support" / "static" / "support"
IMPORT = re.compile(r"""^(?:import|export)\b[^'";]*?["'](\.[^"']+)["'];""", re.MULTILINE)


def collected(folder: Path) -> HashedStaticFiles:
    """As `collectstatic` leaves them, of the files in `folder`."""
    storage = HashedStaticFiles(location=folder)
    files = {str(file.relative_to(folder)): (storage, str(file.relative_to(folder))) for file in folder.rglob("*.*s")}
    failed = [result for _, _, result in storage.post_process(files) if isinstance(result, Exception)]
    assert failed == []
    return HashedStaticFiles(location=folder)  # as another process reads it


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SOURCE, tmp_path / "first" / "support")).parent


def test_every_module_of_the_desk_names_those_of_its_own_release(release: Path) -> None:
    storage = collected(release)
    names = json.loads((release / "staticfiles.json").read_text())["paths"]
    imported = 0
    for hashed in (release / name for name in names.values() if name.endswith(".js")):
        for address in IMPORT.findall(hashed.read_text()):
            target = (hashed.parent / address).resolve()
            assert re.search(r"\.[0-9a-f]{12}\.js$", target.name), f"{hashed.name} imports {address}"
            assert target.exists()
            imported += 1
    assert imported >= 40
    assert re.search(r"desk\.[0-9a-f]{12}\.js$", storage.url("support/desk/desk.js"))


def test_whatever_a_module_loads_gives_it_another_name(release: Path) -> None:
    before = collected(release)
    changed = Path(shutil.copytree(SOURCE, release.parent / "second" / "support"))
    words = changed / "desk" / "words.js"  # imported by what desk.js imports
    words.write_text(words.read_text() + "\n// another release\n")
    after = collected(changed.parent)
    differ = {name for name in ("desk", "conversation_view", "words", "backoff") if not same(name, before, after)}
    assert differ == {"desk", "conversation_view", "words"}


def same(name: str, *storages: HashedStaticFiles) -> bool:
    return len({storage.url(f"support/desk/{name}.js") for storage in storages}) == 1


def test_where_nothing_was_collected_files_keep_their_names(tmp_path: Path, settings: Any) -> None:
    settings.DEBUG = False
    assert HashedStaticFiles(location=tmp_path).url("support/desk/desk.js") == "/static/support/desk/desk.js"
