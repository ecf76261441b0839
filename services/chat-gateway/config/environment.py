"""Environment variables, typed. One that is missing or malformed stops the start with its name and what it should be."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import environ

EX_CONFIG = 78  # sysexits.h: configuration error

T = TypeVar("T")

env = environ.FileAwareEnv()  # NAME_FILE wins over NAME


def stop(name: str, problem: str, should_be: str) -> NoReturn:
    sys.stderr.write(f"lectern: {name} {problem}: it should be {should_be}.\n")
    raise SystemExit(EX_CONFIG)


def text(name: str, should_be: str, default: str | None = None) -> str:
    """The value without surrounding white space; an empty one counts as missing. No default: required."""
    try:
        value = str(env.str(name, default="")).strip()
    except (OSError, UnicodeDecodeError) as error:
        stop(f"{name}_FILE", f"cannot be read ({type(error).__name__})", f"the path of a file that holds {should_be}")
    if value:
        return value
    if default is None:
        stop(name, "is missing", should_be)
    return default


def parsed(name: str, should_be: str, parse: Callable[[str], T], default: str | None = None) -> T:
    """`parse(value)`; its ValueError says that the value is malformed. The value itself is not shown: it may be secret."""
    value = text(name, should_be, default)
    try:
        return parse(value)
    except ValueError:
        stop(name, "is malformed", should_be)


def names(value: str) -> list[str]:
    """A comma-separated list."""
    return [part.strip() for part in value.split(",") if part.strip()]


def web_url(value: str) -> str:
    """An http(s) address without a path, as `scheme://host[:port]`, which is also how browsers write an Origin."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(value)
    default_port = {"http": 80, "https": 443}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in {None, default_port} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(value)
    _ = parts.port  # raises ValueError where it is none
    return value


def redis_url(value: str) -> str:
    parts = urlsplit(value)
    if value and parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError(value)
    _ = parts.port  # raises ValueError where it is none
    return value


def networks(value: str) -> list[str]:
    return [str(ipaddress.ip_network(part)) for part in names(value)]


def absolute_path(value: str) -> Path:
    path = Path(value)
    if not path.is_absolute():
        raise ValueError(value)
    return path


def host_and_port(value: str) -> tuple[str, int] | None:
    """`host:port`; nothing where there is none."""
    if not value:
        return None
    parts = urlsplit(f"//{value}")
    if not parts.hostname or not parts.port or parts.path or parts.username:
        raise ValueError(value)
    return parts.hostname, parts.port


def port(value: str) -> int:
    number = int(value)
    if not 0 <= number <= 65535:
        raise ValueError(value)
    return number


def seconds(value: str) -> float:
    number = float(value)
    if not 0 < number <= 86_400:
        raise ValueError(value)
    return number


def between(least: float, most: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        number = float(value)
        if not least <= number <= most:
            raise ValueError(value)
        return number

    return parse


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError(value)
        return value.lower()

    return parse


def postgres(url: str) -> dict[str, Any]:
    """Django's database settings from a PostgreSQL URL."""
    if urlsplit(url).scheme not in {"postgres", "postgresql"}:
        raise ValueError(url)
    settings: dict[str, Any] = environ.Env.db_url_config(url)
    if not settings.get("NAME"):
        raise ValueError(url)
    return settings
