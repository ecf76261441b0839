"""Who somebody is that types a name, a password and perhaps a code: the same for the API and for the admin site."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import authenticate

from accounts import second_factor
from accounts.attempts import Purpose, check_and_count
from accounts.errors import InvalidCredentials, OtpInvalid, OtpRequired
from accounts.models import User
from audit.actions import record
from audit.kinds import Kind


@dataclass(frozen=True)
class Identified:
    user: User
    second_factor: bool  # whether a one-time code was given

    @property
    def must_set_up_a_device(self) -> bool:
        return second_factor.is_demanded_of(self.user) and not self.second_factor


def identify(username: str, password: str, code: str, address: str | None) -> Identified:
    """The active person with that name or e-mail address, that password and, where they have a device, that code.

    Outside any transaction: what is counted and recorded outlives the refusal. Raises TooManyRequests,
    InvalidCredentials, OtpRequired, OtpInvalid.
    """
    attempt = check_and_count(Purpose.LOGIN, account=username, address=address)
    user = authenticate(username=username, password=password)
    if not isinstance(user, User):
        record(Kind.LOGIN_FAILED, actor=None, subject=User.objects.named(username).first(), by="password")
        raise InvalidCredentials
    try:
        given = second_factor.check(user, code)
    except OtpRequired:
        attempt.give_back()  # the first of two steps, and no guess
        raise
    except OtpInvalid:
        record(Kind.LOGIN_FAILED, actor=None, subject=user, by="code")
        raise
    attempt.succeeded()
    return Identified(user, given)
