"""A bucket with two objects, and what the gateway says of them."""

from __future__ import annotations

import httpx
from s3_server import BUCKET, REGION
from stand_ins import Answer

from stream_gateway.s3 import Bucket

CONTENT = bytes(range(256)) * 40
SEGMENT, MP4 = "packages/a/b/video-360-00001.m4s", "packages/a/b/progressive.mp4"


class Store:
    """What signs addresses at `endpoint`, and puts objects there."""

    def __init__(self, endpoint: str) -> None:
        self.bucket = Bucket(endpoint, BUCKET, REGION, "key-id", "secret")

    def put(self, key: str, content: bytes) -> None:
        put = httpx.put(f"{self.bucket.endpoint}/{BUCKET}/{key}", content=content, trust_env=False, timeout=30)
        put.raise_for_status()

    def yes(self, key: str, **headers: str) -> Answer:
        said = {"Content-Type": "video/mp4", "Cache-Control": "private, max-age=3600"} | headers
        return Answer(200, {"X-Accel-Redirect": f"/_s3/{key}?{self.bucket.query(key)}"} | said, b"")
