"""Addresses of objects in S3-compatible storage, signed for a while (AWS Signature Version 4, in the query).

Thirty lines of our own and not botocore: an address is signed for every file that is watched, and botocore brings 25 MB and a
session for what is four hashes. The tests hold it to Amazon's own example and to botocore's signer.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote, urlsplit

SECONDS = 43_200  # as long as a playback lives: an answer may take hours, and the address never leaves this machine


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket at `endpoint`, as contracts.md has it: an object is at <endpoint>/<bucket>/<key>."""

    endpoint: str
    name: str
    region: str
    key_id: str
    secret: str

    def url(self, key: str, method: str = "GET") -> str:
        """The whole address of an object, for one method."""
        return f"{self.endpoint}{self._path(key)}?{self.query(key, method)}"

    def query(self, key: str, method: str = "GET", seconds: int = SECONDS, now: datetime | None = None) -> str:
        """The signed part of it. Nothing but the host is signed, so that any range may be asked for."""
        at = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{at[:8]}/{self.region}/s3/aws4_request"
        query = (
            f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={quote(f'{self.key_id}/{scope}', safe='')}"
            f"&X-Amz-Date={at}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host"
        )
        asked = f"{method}\n{self._path(key)}\n{query}\nhost:{self.host}\n\nhost\nUNSIGNED-PAYLOAD"
        to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{sha256(asked.encode()).hexdigest()}"
        signature = hmac.new(_signing_key(self.secret, at[:8], self.region), to_sign.encode(), sha256).hexdigest()
        return f"{query}&X-Amz-Signature={signature}"

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc

    def _path(self, key: str) -> str:
        return quote(f"/{self.name}/{key}" if self.name else f"/{key}", safe="/~")


@lru_cache(4)  # another one each day
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key
