"""Reads environment variables: typed, once, with a sentence and exit status 78 where one is missing or malformed."""

from __future__ import annotations

import os
import secrets
import sys
import warnings
from email.utils import parseaddr
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

import environ
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

EX_CONFIG = 78  # sysexits.h: configuration error
ENGINES = ("django.db.backends.postgresql", "django.db.backends.sqlite3")


def stop(name: str, problem: str, should_be: str) -> NoReturn:
    print(f"lectern: {name} {problem}: it should be {should_be}.", file=sys.stderr)  # noqa: T201  logging is not configured yet
    raise SystemExit(EX_CONFIG)


def _web_origin(text: str) -> str | None:
    """`scheme://host[:port]` as browsers send it in Origin, without a port that goes without saying; None for anything else."""
    value = text.rstrip("/").lower()
    try:
        parts = urlsplit(value)
        usual = {"http": ":80", "https": ":443"}[parts.scheme]
        whole = parts.hostname and parts.port != 0 and value == f"{parts.scheme}://{parts.netloc}"
    except (ValueError, KeyError):
        return None
    return value.removesuffix(usual) if whole and "@" not in value else None


class Environment:
    """Typed access. Every name may also be given as NAME_FILE, the path of a file that holds the value."""

    def __init__(self, base: Path) -> None:
        if (base / ".env").is_file():
            environ.Env.read_env(base / ".env")  # never overwrites what the environment says
        self._kept = base / ".lectern-dev"

    def text(self, name: str, should_be: str, default: str | None = None) -> str:
        """The value; `default` where there is none; exit 78 where there is no default either."""
        value = os.environ.get(name, "")
        if not value and (file := os.environ.get(f"{name}_FILE")):
            try:
                value = Path(file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                stop(f"{name}_FILE", f"cannot be read ({error})", f"the path of a file that holds {should_be}")
        if not value:
            if default is None:
                stop(name, "is missing", should_be)
            return default
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.text(name, "1 or 0", "1" if default else "0").lower()
        if value not in {"1", "0", "true", "false", "yes", "no", "on", "off"}:
            stop(name, f"is {value!r}", "1 or 0")
        return value in {"1", "true", "yes", "on"}

    def count(self, name: str, default: int) -> int:
        """A whole number above 0."""
        value = self.text(name, "a whole number above 0", str(default))
        if not value.isdecimal() or int(value) < 1:
            stop(name, f"is {value!r}", "a whole number above 0")
        return int(value)

    def number(self, name: str, should_be: str, default: int) -> int:
        """A whole number, zero or above."""
        value = self.text(name, should_be, str(default))
        if not value.isascii() or not value.isdecimal():
            stop(name, f"is {value!r}", should_be)
        return int(value)

    def choice(self, name: str, choices: list[str], default: str) -> str:
        value = self.text(name, "one of " + ", ".join(choices), default).lower()
        if value not in choices:
            stop(name, f"is {value!r}", "one of " + ", ".join(choices))
        return value

    def address(self, name: str, should_be: str, default: str | None = None) -> SplitResult:
        """An http or https URL without a path."""
        value = self.text(name, should_be, default).rstrip("/")
        try:
            parts = urlsplit(value)
            valid = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:
            valid = False
        if not valid or value != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
            stop(name, f"is {value!r}", should_be)
        return parts

    def url(self, name: str, should_be: str, default: str) -> str:
        """An http or https URL, with a path or without, that more path can be added to."""
        value = self.text(name, should_be, default).rstrip("/")
        try:
            parts = urlsplit(value)
            valid = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
        except ValueError:
            valid = False
        if not valid:
            stop(name, f"is {value!r}", should_be)
        return value

    def names(self, name: str) -> list[str]:
        """A comma-separated list, empty by default."""
        return [part.strip() for part in self.text(name, "a comma-separated list", "").split(",") if part.strip()]

    def origins(self, name: str) -> list[str]:
        """A comma-separated list of web origins, empty by default."""
        origins = []
        for text in self.names(name):
            if not (origin := _web_origin(text)):
                stop(name, f"holds {text!r}", "a comma-separated list of origins such as https://app.example.org")
            origins.append(origin)
        return origins

    def networks(self, name: str) -> list[str]:
        """A comma-separated list of IP networks or addresses, empty by default."""
        networks = self.names(name)
        for network in networks:
            try:
                ip_network(network)
            except ValueError:
                stop(name, f"holds {network!r}", "a comma-separated list of IP networks such as 10.0.0.0/8")
        return networks

    def database(self, name: str, should_be: str, default: str | None = None) -> dict[str, Any]:
        """Django's DATABASES entry from a URL."""
        url = self.text(name, should_be, default)
        try:
            with warnings.catch_warnings(action="ignore"):  # the sentence below says it better
                parsed: dict[str, Any] = environ.Env.db_url_config(url)
            if parsed.get("ENGINE") not in ENGINES or not parsed.get("NAME"):
                raise ValueError("no engine of ours, or no name")
        except (ValueError, KeyError, TypeError):
            stop(name, "is not a database URL", should_be)
        return parsed

    def redis(self, name: str) -> str:
        """A Redis URL; empty where there is none."""
        should_be = "a Redis URL, redis://:password@host:6379/0"
        url = self.text(name, should_be, "")
        try:
            parts = urlsplit(url)
            valid = parts.scheme in {"redis", "rediss", "unix"} and (parts.port is None or parts.port > 0)
        except ValueError:
            valid = False
        if url and not valid:
            stop(name, "is not a Redis URL", should_be)
        return url

    def mailbox(self, name: str, should_be: str, default: str) -> str:
        """`support@example.org`, or `Lectern <support@example.org>`."""
        value = self.text(name, should_be, default)
        try:
            if value != default:
                EmailValidator()(parseaddr(value)[1])
            valid = value.isprintable()
        except ValidationError:
            valid = False
        if not valid:
            stop(name, f"is {value!r}", should_be)
        return value

    def email(self, name: str, should_be: str) -> dict[str, Any]:
        """Django's EMAIL_… settings from a URL (`smtp://`, `smtp+tls://`, `smtp+ssl://`); empty where there is none."""
        url = self.text(name, should_be, "")
        if not url:
            return {}
        try:
            parsed: dict[str, Any] = environ.Env.email_url_config(url)
        except (ValueError, KeyError, environ.ImproperlyConfigured):
            stop(name, "is not a mail server's URL", should_be)
        if not parsed.get("EMAIL_HOST"):
            stop(name, "names no host", should_be)
        return parsed

    def development_secret(self, name: str) -> str:
        """A secret made on first run and kept beside the code, for development only."""
        self._kept.mkdir(mode=0o700, exist_ok=True)
        file = self._kept / name.lower()
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(48), encoding="utf-8")
        return file.read_text(encoding="utf-8")
