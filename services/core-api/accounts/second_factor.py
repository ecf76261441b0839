"""Staff's one-time codes (TOTP, RFC 6238) and the recovery codes that stand in for them.

LECTERN_STAFF_TOTP: `off` (devices are not asked for), `optional` (who set one up must use it), `required` (staff who gave
no code can neither use the admin site nor log in to the API, until they set one up in the admin site). Support agents and
people of the finance need not be staff: for them the admin site is the page alone where they set one up.
Secrets are sealed (config/sealing.py), recovery codes hashed. A code is spent by one conditional UPDATE: once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from urllib.parse import quote, urlsplit

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_otp.oath import hotp

from accounts.errors import NoSetUp, OtpInvalid, OtpRequired
from accounts.models import RecoveryCode, TotpDevice, User
from audit.actions import record
from audit.kinds import Kind
from config.sealing import Unreadable, seal, unseal

log = structlog.get_logger("lectern.accounts")

SEALED_FOR = "second factors"
DIGITS, STEP_S = 6, 30
TOLERATED = (0, -1, 1)  # time steps by which a telephone's clock may differ
RECOVERY_CODES = 10
POWERS = ("support.answer", "payments.refund", "wallet.adjust")  # over people's tickets and proposals, and their credit


def check(user: User, code: str) -> bool:
    """True if a code was given and is spent now, False if none is needed. Raises OtpRequired, OtpInvalid.

    After the password was right, so that nobody else learns who has a device.
    """
    device = confirmed_device(user)
    if device is None:
        return False
    if not code.strip():
        raise OtpRequired
    if not do_spend(device, code):
        raise OtpInvalid
    return True


def concerns(user: User) -> bool:
    """Whose log-in opens more than their own things: staff, and whoever has power over others' through the API alone."""
    return user.is_staff or any(user.has_perm(name) for name in POWERS)


def is_demanded_of(user: User) -> bool:
    return settings.STAFF_TOTP == "required" and concerns(user)


def confirmed_device(user: User) -> TotpDevice | None:
    """The device whose codes are asked for, if any."""
    if settings.STAFF_TOTP == "off":
        return None
    return TotpDevice.objects.filter(user=user, confirmed_at__isnull=False).first()


def do_spend(device: TotpDevice, code: str) -> bool:
    """Whether `code` is a present one of the device, or a recovery code, that nobody gave before. Now somebody has."""
    code = re.sub(r"[\s-]", "", code).lower()
    if len(code) == DIGITS and code.isascii() and code.isdigit():
        return _spend_step(device, code)
    unused = RecoveryCode.objects.filter(pk=_hash(device, code), device=device, used_at=None)
    return unused.update(used_at=timezone.now()) == 1


def do_begin(user: User) -> TotpDevice:
    """A device that does not count yet, with a secret that nobody saw before. Raises NoSetUp if there is one that counts."""
    fresh = TotpDevice(user=user, secret_sealed=seal(SEALED_FOR, secrets.token_bytes(20)))
    with transaction.atomic():
        TotpDevice.objects.filter(user=user, confirmed_at=None).delete()
        TotpDevice.objects.bulk_create([fresh], ignore_conflicts=True)
        return waiting_device(user)


def waiting_device(user: User) -> TotpDevice:
    """The device that waits for its first code. Raises NoSetUp."""
    device = TotpDevice.objects.filter(user=user, confirmed_at=None).first()
    if device is None:
        raise NoSetUp
    return device


def do_confirm(user: User, code: str) -> list[str]:
    """Makes the device count, by its first code; gives its recovery codes, for the only time. Raises NoSetUp, OtpInvalid."""
    with transaction.atomic():
        device = TotpDevice.objects.select_for_update().filter(user=user, confirmed_at=None).first()
        if device is None:
            raise NoSetUp
        if not _spend_step(device, re.sub(r"\s", "", code)):
            raise OtpInvalid
        TotpDevice.objects.filter(pk=device.pk).update(confirmed_at=timezone.now())
        record(Kind.TOTP_ADDED, actor=user, subject=user)
        return _replace_recovery_codes(device)


def do_remove(user: User, by: User | None, **detail: str) -> bool:
    """Takes the device and its recovery codes away; False if there is none that counts."""
    with transaction.atomic():
        _, deleted = TotpDevice.objects.filter(user=user, confirmed_at__isnull=False).delete()
        if not deleted:
            return False
        record(Kind.TOTP_REMOVED, actor=by, subject=user, **detail)
        return True


def do_replace_recovery_codes(user: User) -> list[str]:
    """Ten new ones such as `abcd-efgh-ijkl-mnop` (80 bits each); those before are worth nothing any more. Raises NoSetUp."""
    with transaction.atomic():
        # One after the other: ten are left, not twenty.
        device = TotpDevice.objects.select_for_update().filter(user=user, confirmed_at__isnull=False).first()
        if device is None:
            raise NoSetUp
        record(Kind.RECOVERY_CODES_REPLACED, actor=user, subject=user)
        return _replace_recovery_codes(device)


def secret_text(device: TotpDevice) -> str:
    """The secret as people type it into an app: base32."""
    return base64.b32encode(_secret(device)).decode()


def setup_address(device: TotpDevice) -> str:
    """What the QR code says: an otpauth:// address (Key Uri Format of Google Authenticator)."""
    host = urlsplit(settings.PUBLIC_URL).hostname
    label = quote(f"Lectern {host}:{device.user.username}")
    return f"otpauth://totp/{label}?secret={secret_text(device)}&issuer={quote(f'Lectern {host}')}"


def current_step() -> int:
    return int(time.time()) // STEP_S


def code_at(device: TotpDevice, step: int) -> str:
    return f"{hotp(_secret(device), step, DIGITS):0{DIGITS}}"


def _replace_recovery_codes(device: TotpDevice) -> list[str]:
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(device=device).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(code_hash=_hash(device, code), device=device) for code in codes)
    return ["-".join(re.findall("....", code)) for code in codes]


def _spend_step(device: TotpDevice, code: str) -> bool:
    now = current_step()
    try:
        shown = {now + offset: code_at(device, now + offset) for offset in TOLERATED}
    except Unreadable:
        log.error("second_factor_unreadable", user=str(device.user_id))  # another LECTERN_SIGNING_KEY_SECRET sealed it
        return False
    for step, expected in shown.items():
        if hmac.compare_digest(expected.encode(), code.encode()):
            return TotpDevice.objects.filter(pk=device.pk, last_step__lt=step).update(last_step=step) == 1
    return False


def _secret(device: TotpDevice) -> bytes:
    return unseal(SEALED_FOR, bytes(device.secret_sealed))


def _hash(device: TotpDevice, code: str) -> bytes:
    # 80 random bits need no slow hash; and no key either, so that rotating Django's leaves the codes good.
    return hashlib.sha256(f"{device.user_id}:{code}".encode()).digest()
