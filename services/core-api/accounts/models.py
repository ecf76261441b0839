"""People, their login sessions and the keys that sign their tokens."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models, transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.names import normalise_email, normalise_password, normalise_username, validate_username
from accounts.roles import ADMIN, LEARNER
from audit.actions import record
from audit.kinds import Kind
from config.ids import uuid7


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(username=normalise_username(username), email=normalise_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, email: str, password: str | None = None, **fields: Any) -> User:
        """For `createsuperuser`, which leaves the entries in the audit log that the admin site's forms leave."""
        all_powers = {"is_staff": True, "is_superuser": True}
        with transaction.atomic(using=self._db):
            user = self.create_user(username, email, password, **all_powers | fields)
            record(Kind.ADMIN_ADDED, actor=None, subject=user)
            record(Kind.ROLES_CHANGED, actor=None, subject=user, **all_powers)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.called(username or "").get()

    def called(self, username: str) -> QuerySet[User]:
        """The person (one at most) with that username, in any case of letters."""
        return self.alias(key=Lower("username")).filter(key=Lower(Value(normalise_username(username))))

    def named(self, name: str) -> QuerySet[User]:
        """The person (one at most: no username holds an @) with that username or e-mail address, in any case of letters."""
        key = Lower(Value(normalise_username(name)))  # lower() as in the unique indexes, which this way serve the query
        return self.alias(name_key=Lower("username"), email_key=Lower("email")).filter(
            Q(name_key=key) | Q(email_key=key)
        )


class User(AbstractBaseUser, PermissionsMixin):
    """A person. `generation` goes up when every token of theirs shall die (password change, log-out everywhere)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = models.CharField(max_length=40, validators=[validate_username])
    email = models.EmailField(max_length=254)
    name = models.CharField("display name", max_length=100, blank=True)
    email_verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    chat_mails = models.BooleanField(
        "mails about chat",
        db_default=True,
        default=True,
        help_text="Mails about messages in support tickets not read yet.",
    )
    is_active = models.BooleanField("active", default=True, help_text="Deactivate instead of deleting.")
    is_staff = models.BooleanField("staff", default=False, help_text="May log in to the admin site.")
    generation = models.PositiveIntegerField(default=0, editable=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="user_username_unique", violation_error_message="That name is taken."
            ),
            models.UniqueConstraint(
                Lower("email"), name="user_email_unique", violation_error_message="That e-mail address is in use."
            ),
        ]
        indexes = [
            # The gateways' sweeps ask for these every minute.
            models.Index(fields=["erased_at"], condition=Q(erased_at__isnull=False), name="user_erased"),
            # The admin site's list of people, and its first page.
            models.Index(fields=["date_joined"], name="user_joined"),
        ]

    def __str__(self) -> str:
        return self.username

    def get_short_name(self) -> str:
        return self.name or self.username

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password and normalise_password(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        return super().check_password(raw_password and normalise_password(raw_password))

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's hook: the admin site's sessions end with the password, as ever, and with the generation."""
        value = f"{self.password}:{self.generation}"
        return salted_hmac("accounts.session", value, secret=secret, algorithm="sha256").hexdigest()

    def role_names(self) -> list[str]:
        """For display: the person's groups, and what goes without saying. published.principal says the same."""
        implied = {LEARNER, ADMIN} if self.is_superuser else {LEARNER}
        return sorted(implied | {group.name for group in self.groups.all()})


class LoginSession(models.Model):
    """One log-in on one device: the family of its refresh tokens, and the `sid` of its access tokens."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="login_sessions")
    user_agent = models.CharField(max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, blank=True)
    # For a login that lives from one of the admin site's sessions, and ends with it: the hash of that session's key.
    admin_session = models.BinaryField(max_length=32, null=True)
    second_factor = models.BooleanField(default=False, help_text="Whether a one-time code was given, too.")

    class Meta:
        default_permissions = ()  # seen on the person's own page
        indexes = [models.Index(fields=["ended_at"], name="login_session_ended")]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"


class RefreshToken(models.Model):
    """A refresh token that was given out, known by its hash alone. It is consumed once, by one conditional UPDATE."""

    token_hash = models.BinaryField(primary_key=True, max_length=32)
    session = models.ForeignKey(LoginSession, on_delete=models.CASCADE, related_name="refresh_tokens")
    expires_at = models.DateTimeField()
    consumed_at = models.DateTimeField(null=True)
    attempt_hash = models.BinaryField(max_length=32, null=True)
    # The token given for this one, readable only with this one and the attempt that earned it.
    successor = models.BinaryField(null=True)

    class Meta:
        default_permissions = ()  # nobody's to see
        indexes = [models.Index(fields=["expires_at"], name="refresh_token_expires")]

    def __str__(self) -> str:
        return f"refresh token of session {self.session_id}"


class MailedToken(models.Model):
    """A secret that was mailed to a person, known by its hash alone. It is spent once, by one conditional UPDATE."""

    class Purpose(models.TextChoices):
        VERIFY_EMAIL = "verify_email"  # proves the address that the person has
        CHANGE_EMAIL = "change_email"  # proves the one they want instead, which takes effect with it
        RESET_PASSWORD = "reset_password"  # noqa: S105  a name, no password

    token_hash = models.BinaryField(primary_key=True, max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="mailed_tokens")
    purpose = models.CharField(max_length=14, choices=Purpose)
    email = models.EmailField(max_length=254)  # where it was sent: it proves that address and no other
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()  # nobody's to see
        indexes = [models.Index(fields=["expires_at"], name="mailed_token_expires")]

    def __str__(self) -> str:
        return f"{self.purpose} of {self.user_id}"


class PasswordResetRequest(models.Model):
    """What somebody typed who forgot their password, until the job, moments later, has looked up who that is.

    A row and not the job's argument: those are logged, and stay with a job that failed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254)
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()  # nobody's to see

    def __str__(self) -> str:
        return f"asked at {self.created_at:%Y-%m-%d %H:%M:%S}"


class SigningKey(models.Model):
    """An RS256 key pair. The private half is encrypted by LECTERN_SIGNING_KEY_SECRET; the public half is in the JWKS."""

    kid = models.CharField(primary_key=True, max_length=43)
    public_jwk = models.JSONField()
    private_encrypted = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    signs_from = models.DateTimeField()  # published two minutes before it signs
    verifies_until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()  # nobody's to see

    def __str__(self) -> str:
        return self.kid


class TotpDevice(models.Model):
    """A person's authenticator app (RFC 6238: SHA-1, 6 digits, 30 s). It counts from the moment a first code was right."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="totp_device")
    secret_sealed = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0, help_text="Time step of the newest code taken: none is taken twice.")

    class Meta:
        verbose_name = "authenticator app"
        default_permissions = ()  # the person's own, and for who may change people

    def __str__(self) -> str:
        return f"authenticator app of {self.user}"


class RecoveryCode(models.Model):
    """Stands in for a code of the app, once. Known by its hash alone."""

    code_hash = models.BinaryField(primary_key=True, max_length=32)
    device = models.ForeignKey(TotpDevice, on_delete=models.CASCADE, related_name="recovery_codes")
    used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()  # nobody's to see

    def __str__(self) -> str:
        return f"recovery code of {self.device_id}"


class AttemptCounter(models.Model):
    """How often something that can be guessed was tried of late, for an account or from an address (accounts/attempts.py).

    The keys are keyed hashes: neither names nor addresses can be read from them.
    """

    key = models.BinaryField(primary_key=True, max_length=32)
    account = models.BinaryField(max_length=32, null=True, help_text="Hash of the name typed; null: an address's.")
    level = models.FloatField(default=0, help_text="Attempts let through, less those forgotten, at `last_at`.")
    refused = models.PositiveIntegerField(default=0, help_text="Attempts refused since `last_at`.")
    last_at = models.FloatField(help_text="When an attempt was last let through, in seconds since 1970.")
    forgotten_at = models.FloatField(help_text="When nothing is left of it, in seconds since 1970.")

    class Meta:
        default_permissions = ()  # nobody's to see
        indexes = [
            models.Index(fields=["account"], name="attempt_account"),
            models.Index(fields=["forgotten_at"], name="attempt_forgotten"),
        ]

    def __str__(self) -> str:
        return f"level {self.level:.1f}"


class KnownDevice(models.Model):
    """A device that an account logged in from (accounts/devices.py). The key is a keyed hash: nothing can be read from it."""

    key = models.BinaryField(primary_key=True, max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="known_devices")
    last_login_at = models.DateTimeField()

    class Meta:
        default_permissions = ()  # nobody's to see
        indexes = [models.Index(fields=["last_login_at"], name="known_device_last_login")]

    def __str__(self) -> str:
        return f"device of {self.user_id}"


class KnownNetwork(models.Model):
    """A network from which an account logged in of late: strangers elsewhere cannot make that person wait there."""

    key = models.BinaryField(primary_key=True, max_length=32)
    forgotten_at = models.DateTimeField()

    class Meta:
        default_permissions = ()  # nobody's to see
        indexes = [models.Index(fields=["forgotten_at"], name="known_network_forgotten")]

    def __str__(self) -> str:
        return f"known until {self.forgotten_at:%Y-%m-%d}"
