"""Everything that the environment says, typed and read once (the table is in deploy/contracts.md).

Any variable may be given as NAME_FILE, the path of a file with the value in it: that is how secrets come.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from stream_gateway.s3 import Bucket
from stream_gateway.uploads.limits import Limits

EX_CONFIG = 78  # sysexits.h: configuration error
A_DATABASE = "a PostgreSQL URL, postgres://user:password@host:5432/database"


def _database_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("postgres", "postgresql") or not parts.hostname or not parts.path.strip("/"):
        raise ValueError
    _ = parts.port  # raises ValueError where it is none
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    _ = parts.port  # raises ValueError where it is none
    return value


def _origin(value: str) -> str:
    """As browsers write it: small letters, and no port that goes without saying."""
    parts = urlsplit(_http_url(value).lower())
    if parts.path.strip("/") or parts.username is not None:
        raise ValueError
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.removesuffix(f':{usual}')}"


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError
    return value


def _file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError
    return value


def _network(value: str) -> str:
    return str(ipaddress.ip_network(value))


def _small(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Network = Annotated[str, AfterValidator(_network)]
CommaSeparated = (NoDecode, BeforeValidator(_split))


class ValuesInFiles(PydanticBaseSettingsSource):
    """NAME_FILE in the environment gives NAME's value."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = _variable(field)
        path = os.environ.get(f"{name}_FILE")
        if not path:
            return None, name, False
        if os.environ.get(name):
            raise ConfigurationError(f"{name} and {name}_FILE are both given: give one of them.")
        try:
            return Path(path).read_text(encoding="utf-8").strip(), name, False
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{name}_FILE cannot be read: {error}.") from error

    def __call__(self) -> dict[str, Any]:
        values = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {name: value for value, name, _complex in values if value is not None}


class ConfigurationError(Exception):
    """Which variable is missing or malformed, and what it should be; never its value."""


class Environment(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", case_sensitive=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, ValuesInFiles(settings_cls), env_settings, dotenv_settings

    @classmethod
    def read(cls) -> Self:
        """The settings, or ConfigurationError with one line a variable."""
        try:
            return cls()
        except ValidationError as error:
            lines = [cls._line(problem["loc"][0], problem["type"]) for problem in error.errors()]
            raise ConfigurationError("\n".join(lines)) from error

    @classmethod
    def _line(cls, name: int | str, kind: str) -> str:
        field = next(field for field in cls.model_fields.values() if _variable(field) == name)
        return f"{name} {'is missing' if kind == 'missing' else 'is malformed'}: it should be {field.description}."


class Settings(Environment):
    """What serving needs."""

    database_url: DatabaseUrl = Field(validation_alias="DATABASE_URL", description=A_DATABASE)
    public_url: Origin = Field(
        validation_alias="LECTERN_PUBLIC_URL", description="the one hostname that clients use, http://127.0.0.1:8000"
    )
    jwks_url: Annotated[str, AfterValidator(_http_url)] = Field(
        validation_alias="LECTERN_JWKS_URL",
        description="where core-api's public keys are, http://core-api:8000/.well-known/jwks.json",
    )
    media_root: Annotated[Path, AfterValidator(_absolute)] = Field(
        validation_alias="LECTERN_MEDIA_ROOT", description="the absolute path of the folder with packages and captions"
    )
    uploads_root: Annotated[Path, AfterValidator(_absolute)] = Field(
        validation_alias="LECTERN_UPLOADS_ROOT", description="the absolute path of the folder that takes uploads"
    )
    upload_quota: float = Field(
        50,
        gt=0,
        le=1_000_000,
        validation_alias="LECTERN_UPLOAD_QUOTA",
        description="a number of GiB: what one person's uploads that no lesson uses yet may take together",
    )
    upload_expiry: float = Field(
        48,
        gt=0,
        le=24 * 365,
        validation_alias="LECTERN_UPLOAD_EXPIRY",
        description="a number of hours, after which an upload that was not finished goes",
    )
    upload_keep: float = Field(
        7,
        gt=0,
        le=365,
        validation_alias="LECTERN_UPLOAD_KEEP",
        description="a number of days, after which a finished upload goes that no lesson uses",
    )
    trusted_proxies: Annotated[tuple[Network, ...], *CommaSeparated] = Field(
        (),
        validation_alias="LECTERN_TRUSTED_PROXIES",
        description="networks whose X-Forwarded-* headers count, separated by commas, 172.16.0.0/12",
    )
    allowed_origins: Annotated[tuple[Origin, ...], *CommaSeparated] = Field(
        (),
        validation_alias="LECTERN_ALLOWED_ORIGINS",
        description="further browser origins, separated by commas, https://app.example.org",
    )
    stream_limit: int = Field(
        2,
        ge=1,
        le=100,
        validation_alias="LECTERN_STREAM_LIMIT",
        description="a number from 1 to 100: playback sessions of one learner at once",
    )
    playback_audit_days: int = Field(
        90,
        ge=1,
        le=3650,
        validation_alias="LECTERN_PLAYBACK_AUDIT_DAYS",
        description="a number of days from 1 to 3650: how long it is kept who watched what from where",
    )
    delivery: Literal["accel", "direct"] = Field(
        "accel",
        validation_alias="DELIVERY",
        description='"accel" (nginx sends the bytes) or "direct" (this process does)',
    )
    media_storage: Literal["local", "s3"] = Field(
        "local",
        validation_alias="MEDIA_STORAGE",
        description='"local" (packages lie below LECTERN_MEDIA_ROOT) or "s3" (in object storage: the S3_… variables)',
    )
    s3_endpoint_url: Annotated[str, AfterValidator(_origin)] | None = Field(
        None,
        validation_alias="S3_ENDPOINT_URL",
        description="the S3-compatible store, https://s3.eu-central-1.amazonaws.com",
    )
    s3_bucket: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        validation_alias="S3_BUCKET",
        description="the bucket's name",
    )
    s3_region: str = Field(
        "us-east-1", pattern=r"^[a-z0-9-]+$", validation_alias="S3_REGION", description="the bucket's region, us-east-1"
    )
    s3_access_key_id: str | None = Field(
        None, validation_alias="S3_ACCESS_KEY_ID", description="the id of a key that may read the bucket"
    )
    s3_secret_access_key: str | None = Field(
        None, validation_alias="S3_SECRET_ACCESS_KEY", description="the secret of that key"
    )
    s3_ca_bundle: Annotated[Path, AfterValidator(_file)] | None = Field(
        None,
        validation_alias="S3_CA_BUNDLE",
        description="the path of a file with the authorities (PEM) whose certificates the store shows",
    )
    erasure_sweep: float = Field(
        60,
        gt=0,
        le=86_400,
        validation_alias="LECTERN_ERASURE_SWEEP",
        description="a number of seconds, how often to look for erased people whose notification was lost",
    )
    log_level: Annotated[Literal["debug", "info", "warning"], BeforeValidator(_small)] = Field(
        "info", validation_alias="LECTERN_LOG_LEVEL", description='"debug", "info" or "warning"'
    )
    host: str = Field("127.0.0.1", validation_alias="LECTERN_HOST", description="the address to listen on, 0.0.0.0")
    port: int = Field(
        8002, ge=0, le=65535, validation_alias="LECTERN_PORT_INTERNAL", description="the port to listen on, 8002"
    )
    workers: int = Field(
        1, ge=1, le=64, validation_alias="LECTERN_WORKERS", description="a number from 1 to 64: worker processes"
    )

    @model_validator(mode="after")
    def _storage_is_whole(self) -> Self:
        if self.media_storage == "s3":
            needed = ("s3_endpoint_url", "s3_bucket", "s3_access_key_id", "s3_secret_access_key")
            if missing := [self._line(name.upper(), "missing") for name in needed if not getattr(self, name)]:
                raise ConfigurationError("\n".join(missing))
            if self.delivery == "direct":
                raise ConfigurationError(
                    'DELIVERY is direct: with MEDIA_STORAGE=s3 it should be "accel", nginx fetches the bytes.'
                )
        return self

    @property
    def bucket(self) -> Bucket | None:
        if self.media_storage == "local":
            return None
        name, endpoint = self.s3_bucket or "", self.s3_endpoint_url or ""
        return Bucket(endpoint, name, self.s3_region, self.s3_access_key_id or "", self.s3_secret_access_key or "")

    @property
    def upload_limits(self) -> Limits:
        return Limits(
            int(self.upload_quota * 1024**3), timedelta(hours=self.upload_expiry), timedelta(days=self.upload_keep)
        )

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https://")


class MigrationSettings(Environment):
    """What `python -m stream_gateway.migrate` needs."""

    migration_database_url: DatabaseUrl | None = Field(
        None, validation_alias="MIGRATION_DATABASE_URL", description=f"the owner role's URL, {A_DATABASE}"
    )
    database_url: DatabaseUrl | None = Field(None, validation_alias="DATABASE_URL", description=A_DATABASE)

    @property
    def url(self) -> str:
        url = self.migration_database_url or self.database_url
        if url is None:
            raise ConfigurationError(
                f"MIGRATION_DATABASE_URL is missing: it should be the owner role's URL, {A_DATABASE}."
            )
        return url


def stop(error: ConfigurationError) -> SystemExit:
    """Says on stderr what is wrong; raise what this returns."""
    for line in str(error).splitlines():
        print(f"lectern: {line}", file=sys.stderr)  # noqa: T201  before there is a log, to the operator's terminal
    return SystemExit(EX_CONFIG)


def without_password(url: str) -> str:
    return re.sub(r"(?<=://)([^:@/]*):[^@/]*@", r"\1@", url)


def _variable(field: FieldInfo) -> str:
    return str(field.validation_alias)
