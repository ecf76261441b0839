"""Packages and captions in S3-compatible storage; addresses are path-style, which all of them know."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody

from media import ffmpeg
from media.folders import PIECE
from media.packaging import FACTS, Facts
from media.stores import StoreFailed, facts_of

AT_ONCE = 8  # uploads
DELETABLE_AT_ONCE = 1000  # keys, by S3's own limit
CONTENT_TYPES = {  # nginx's for the same files
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".vtt": "text/vtt; charset=utf-8",
    ".json": "application/json",
}


class S3Store:
    """A package counts once its package.json is there, which is uploaded after all else is known to have arrived."""

    def __init__(self, endpoint: str, bucket: str, region: str, key: str, secret: str, authorities: str = "") -> None:
        """`authorities`: the file of those that an https endpoint is checked by; empty: the SDK's."""
        self._bucket = bucket
        # Threads of our own, one file each; large files go in parts, as no object may be put in one above 5 GB.
        self._transfer = TransferConfig(
            multipart_threshold=64 * 2**20, multipart_chunksize=64 * 2**20, use_threads=False
        )
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            verify=authorities or None,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                max_pool_connections=AT_ONCE,
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "max_attempts": 4},
                request_checksum_calculation="when_required",  # the newer checksums are unknown to many stores
                response_checksum_validation="when_required",
            ),
        )

    def put(self, folder: Path, path: str) -> None:
        self._clear_half_uploads(path.rpartition("/")[0])
        try:
            with _as_store_failed(f"upload of {path}"):
                self._upload([file for file in folder.iterdir() if file.name != FACTS], path)
                if facts_of((folder / FACTS).read_bytes(), self._sizes(path)) is None:
                    raise StoreFailed(f"upload of {path}: not all of it arrived")
                self._put_file(folder / FACTS, path)
        except BaseException:
            with suppress(StoreFailed):  # else the next attempt does it
                self.remove(path)
            raise

    def _upload(self, files: list[Path], path: str) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for _ in pool.map(lambda file: self._put_file(file, path), files):
                    ffmpeg.check_stopping()
            finally:
                pool.shutdown(cancel_futures=True)

    def _put_file(self, file: Path, path: str) -> None:
        content_type = {"ContentType": CONTENT_TYPES[file.suffix]}
        self._client.upload_file(
            str(file), self._bucket, f"{path}/{file.name}", ExtraArgs=content_type, Config=self._transfer
        )

    def _clear_half_uploads(self, path: str) -> None:
        """What killed packagers left below `path`: folders without package.json, and large files of which some parts came."""
        for name in self.children(path):
            if FACTS not in self._sizes(f"{path}/{name}"):
                self.remove(f"{path}/{name}")
        self._abort_parts(path)

    def _abort_parts(self, path: str) -> None:
        with _as_store_failed(f"clean-up of {path}"):
            for page in self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=f"{path}/"
            ):
                for upload in page.get("Uploads", []):
                    self._client.abort_multipart_upload(
                        Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )

    def finished(self, path: str) -> tuple[str, Facts] | None:
        for name in sorted(self.children(path)):
            whole = f"{path}/{name}"
            sizes = self._sizes(whole)
            if FACTS in sizes and (facts := facts_of(self._read(f"{whole}/{FACTS}"), sizes)):
                return whole, facts
        return None

    def write(self, path: str, data: bytes) -> None:
        with _as_store_failed(f"upload of {path}"):
            content_type = CONTENT_TYPES[Path(path).suffix]
            self._client.put_object(Bucket=self._bucket, Key=path, Body=data, ContentType=content_type)

    def read(self, path: str) -> Iterator[bytes]:
        with _as_store_failed(f"reading of {path}"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=path)
            except self._client.exceptions.NoSuchKey as error:
                raise FileNotFoundError(path) from error
        return _pieces_of(answer["Body"], path)

    def remove(self, path: str) -> None:
        """package.json first, so that half a removal leaves no package behind."""
        with _as_store_failed(f"removal of {path}"):
            keys = sorted(self._keys(path), key=lambda key: not key.endswith(f"/{FACTS}"))
            for start in range(0, len(keys), DELETABLE_AT_ONCE):
                self._delete(keys[start : start + DELETABLE_AT_ONCE])
        self._abort_parts(path)

    def _delete(self, keys: list[str]) -> None:
        objects = [{"Key": key} for key in keys]
        answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})  # type: ignore[typeddict-item]  # its stubs want a whole identifier
        if errors := answer.get("Errors"):
            raise StoreFailed(f"removal of {errors[0].get('Key')}: {errors[0].get('Message')}")

    def _keys(self, path: str) -> Iterator[str]:
        for key, _ in self._objects(path):
            if key == path or key.startswith(f"{path}/"):
                yield key

    def _sizes(self, path: str) -> dict[str, int]:
        return {key.removeprefix(f"{path}/"): size for key, size in self._objects(f"{path}/")}

    def _objects(self, prefix: str) -> Iterator[tuple[str, int]]:
        with _as_store_failed(f"listing of {prefix}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                yield from ((found["Key"], found["Size"]) for found in page.get("Contents", []))

    def _read(self, key: str) -> bytes:
        with _as_store_failed(f"reading of {key}"):
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def children(self, path: str) -> list[str]:
        names: list[str] = []
        with _as_store_failed(f"listing of {path}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{path}/", Delimiter="/"
            )
            for page in pages:
                names += [found["Prefix"] for found in page.get("CommonPrefixes", [])]
                names += [found["Key"] for found in page.get("Contents", [])]
        return [name.rstrip("/").rpartition("/")[2] for name in names]


@contextmanager
def _as_store_failed(what: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError, S3UploadFailedError) as error:
        raise StoreFailed(f"{what}: {error}") from error


def _pieces_of(body: StreamingBody, path: str) -> Iterator[bytes]:
    with _as_store_failed(f"reading of {path}"), closing(body):
        yield from body.iter_chunks(PIECE)
