"""What usernames, e-mail addresses and passwords look like before they are compared."""

import unicodedata

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

# ASCII only: two names that look alike are the same name.
validate_username = RegexValidator(
    r"\A[A-Za-z0-9](?:[A-Za-z0-9._-]{1,38})[A-Za-z0-9]\Z",
    "Use 3 to 40 letters (a-z), digits, dots, hyphens or underscores, beginning and ending with a letter or digit.",
    "invalid_username",
)

RESERVED = ("erased-",)  # what erased people are called (DELETE /me/)


def check_not_reserved(username: str) -> None:
    """Raises ValidationError for a name that nobody may choose."""
    if username.lower().startswith(RESERVED):
        raise ValidationError("That name is reserved.", "reserved_username")


def normalise_username(username: str) -> str:
    return unicodedata.normalize("NFKC", username).strip()


def normalise_email(email: str) -> str:
    return unicodedata.normalize("NFKC", email).strip()


def normalise_password(password: str) -> str:
    """The same text typed on another keyboard is the same password (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
