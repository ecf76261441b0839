"""Devices that an account logs in from, and the mail about one that it did not know.

A device is what kind of program says it is there (its User-Agent without version numbers, so that an update makes nothing
new) in one neighbourhood of the internet (an IPv4 /16, an IPv6 /32: roughly a provider in a region, so that a new address at
home makes nothing new either). Only a keyed hash of both and of the account is kept: it says nothing to who reads it, and
cannot be compared between accounts. It is forgotten a year after the last log-in, but for an account's newest, by which
an account that rests is still told from one that never was used: the first log-in ever is no news to its owner.
"""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address, ip_network

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import letters
from accounts.models import KnownDevice, User
from accounts.sessions import Client

KEPT = timedelta(days=365)
# What the mail calls them. Never the User-Agent itself, by which a thief could write into a mail of ours.
PROGRAMS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "an iPhone"), ("iPad", "an iPad"), ("Windows", "Windows")),
    *(("Mac OS", "a Mac"), ("CrOS", "a Chromebook"), ("Linux", "Linux")),
)


def do_note_login(user: User, client: Client) -> None:
    """Tells the person about a log-in from a device that the account did not know; from now on it knows it.

    Within the caller's transaction, which has locked the person's row: of two log-ins at once one is news.
    """
    known = KnownDevice.objects.filter(user=user)
    key, now = _key(user, client), timezone.now()
    if known.filter(pk=key).update(last_login_at=now):
        return
    is_first = not known.exists()
    KnownDevice.objects.create(key=key, user=user, last_login_at=now)
    if not is_first:
        letters.new_device(user, described(client.user_agent), client.address)


def described(user_agent: str) -> str:
    """Such as `Firefox on Windows`, in words of ours alone."""
    program = next((name for mark, name in PROGRAMS if mark in user_agent), "an app or a program")
    system = next((f" on {name}" for mark, name in SYSTEMS if mark in user_agent), "")
    return program + system


def purge() -> None:
    newer = KnownDevice.objects.filter(user=OuterRef("user"), last_login_at__gt=OuterRef("last_login_at"))
    KnownDevice.objects.filter(Exists(newer), last_login_at__lt=timezone.now() - KEPT).delete()


def _key(user: User, client: Client) -> bytes:
    kind = re.sub(r"[\d._]+", "", client.user_agent[:200])
    parts = "\0".join([str(user.pk), kind, _neighbourhood(client.address)])
    return salted_hmac("accounts.devices", parts, algorithm="sha256").digest()


def _neighbourhood(address: str | None) -> str:
    if not address:
        return ""  # a Unix socket: all of them are one
    ip = ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return str(ip_network((ip, 16 if ip.version == 4 else 32), strict=False))
