"""The port to where packages and captions lie: the local volume or S3-compatible storage (MEDIA_STORAGE)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from media.packaging import Facts


class StoreFailed(OSError):
    """The store did not do what it was asked; trying again may help."""


class Store(Protocol):
    """Paths are those of deploy/contracts.md, below LECTERN_MEDIA_ROOT or a bucket; methods raise OSError."""

    def put(self, folder: Path, path: str) -> None:
        """Makes the files of the sealed `folder` a package at `path`: whole and lasting, or not at all. Uses `folder` up."""

    def finished(self, path: str) -> tuple[str, Facts] | None:
        """The package among the folders below `path`, and its facts."""

    def write(self, path: str, data: bytes) -> None:
        """A file of its own, whole and lasting when this returns."""

    def read(self, path: str) -> Iterator[bytes]:
        """The pieces of a file, which is opened at once: FileNotFoundError is raised here, not half-way."""

    def remove(self, path: str) -> None:
        """What is at `path` and below. Nothing there is well too."""

    def children(self, path: str) -> list[str]:
        """The names directly below `path`."""


def store() -> Store:
    if settings.MEDIA_STORAGE == "s3":
        return _s3(
            settings.S3_ENDPOINT_URL,
            settings.S3_BUCKET,
            settings.S3_REGION,
            settings.S3_ACCESS_KEY_ID,
            settings.S3_SECRET_ACCESS_KEY,
            settings.S3_CA_BUNDLE,
        )
    from media.local_store import LocalStore

    return LocalStore(Path(settings.MEDIA_ROOT))


@cache
def _s3(endpoint: str, bucket: str, region: str, key: str, secret: str, authorities: str) -> Store:
    from media.s3_store import S3Store  # which imports the SDK: slow, and of no use to others

    return S3Store(endpoint, bucket, region, key, secret, authorities)


def facts_of(text: str | bytes, sizes: Mapping[str, int]) -> Facts | None:
    """What package.json says; None if it is not one, or if a file that it names is not there in its size."""
    try:
        document: dict[str, Any] = json.loads(text)
        if any(sizes.get(name) != file["size"] for name, file in document["files"].items()):
            return None
        return Facts(**{name: document[name] for name in Facts.__dataclass_fields__})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
