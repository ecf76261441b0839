"""Settings of core-api, read from the environment once (the table is in deploy/contracts.md)."""

from __future__ import annotations

import shutil
import sys
from datetime import timedelta
from pathlib import Path

from config.environment import Environment, stop

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment(BASE_DIR)

# --- How it runs -------------------------------------------------------------------------------------------------
# `python manage.py …` in a fresh clone, with nothing set, is development: SQLite, and what must be secret is made on
# first run. As soon as anything is set, DJANGO_DEBUG alone decides, and a missing variable stops the start.
_fresh_clone = Path(sys.argv[0]).name == "manage.py" and not any(
    env.text(name, "", "") for name in ("DATABASE_URL", "DJANGO_SECRET_KEY", "LECTERN_PUBLIC_URL")
)
DEBUG = env.flag("DJANGO_DEBUG", default=_fresh_clone)


def required(name: str, should_be: str, in_development: str) -> str:
    return env.text(name, should_be, in_development if DEBUG else None)


def secret(name: str) -> str:
    should_be = "a long random text, in a file named by " + name + "_FILE or in the variable itself"
    value = env.text(name, should_be, env.development_secret(name) if DEBUG else None)
    if len(value) < 32 and not DEBUG:
        stop(name, "is too short", "at least 32 characters, such as the output of `openssl rand -base64 48`")
    return value


SECRET_KEY = secret("DJANGO_SECRET_KEY")
LECTERN_SIGNING_KEY_SECRET = secret("LECTERN_SIGNING_KEY_SECRET")

_url_should_be = "the address people use, a scheme and a host without a path, such as https://courses.example.org"
_public = env.address("LECTERN_PUBLIC_URL", _url_should_be, "http://127.0.0.1:8000" if DEBUG else None)
PUBLIC_URL = _public.geturl()
ACCOUNT_URL = env.url(
    "LECTERN_ACCOUNT_URL", "the address below which /verify/ and /reset/ take a mail's token", f"{PUBLIC_URL}/account"
)
BEHIND_TLS = _public.scheme == "https"

ALLOWED_HOSTS = [
    _public.hostname,
    *(["localhost", "127.0.0.1", "[::1]"] if DEBUG else []),
    *env.names("LECTERN_INTERNAL_HOSTS"),
]
ALLOWED_ORIGINS = env.origins("LECTERN_ALLOWED_ORIGINS")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
CSRF_FAILURE_VIEW = "config.problems.form_refused"
TRUSTED_PROXIES = env.networks("LECTERN_TRUSTED_PROXIES")

# --- Applications ------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "config.apps.SystemConfig",  # first: its templates and commands go before those of others
    "config.apps.LecternAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "accounts",
    "courses",
    "learning",
    "media",
    "archives",
    "wallet",
    "payments",
    "support",
    "published",
    "approvals",
    "books",
    "audit",
    "mail",
    "privacy",
]
MIDDLEWARE = [
    "config.client_address.ClientAddressMiddleware",
    "audit.origin.OriginMiddleware",
    "config.logs.RequestLogMiddleware",
    "config.metrics.MetricsMiddleware",
    "corsheaders.middleware.CorsMiddleware",  # before whatever may refuse, so that the app can read why
    "config.body_limit.BodyLimitMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Data --------------------------------------------------------------------------------------------------------
_database_should_be = "a PostgreSQL URL, postgres://user:password@host:5432/database"
_database_url = required("DATABASE_URL", _database_should_be, f"sqlite:///{(BASE_DIR / 'db.sqlite3').as_posix()}")
DATABASES = {"default": env.database("DATABASE_URL", _database_should_be, _database_url)}
if "migrate" in sys.argv:  # as the owner of the tables; nothing else ever connects as that role
    DATABASES["default"] = env.database("MIGRATION_DATABASE_URL", _database_should_be, _database_url)
ON_POSTGRES = DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql"
if ON_POSTGRES:
    INSTALLED_APPS.append("procrastinate.contrib.django")
    DATABASES["default"] |= {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # A statement or a wait for a lock that takes longer than this is a fault, and answered as one.
        "OPTIONS": {"connect_timeout": 3, "options": "-c search_path=core -c statement_timeout=30s -c lock_timeout=2s"},
    }
else:
    # SQLite has one writer at a time: it takes its turn at BEGIN, not half-way through.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_redis = env.redis("REDIS_URL")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": _redis}
    if _redis
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# --- People ------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
SILENCED_SYSTEM_CHECKS = [
    "auth.W004",  # usernames are unique, by a constraint on their lower case
    "security.W005",  # HSTS for subdomains, and preloading: they may be somebody else's than ours
    "security.W021",
    "security.W008",  # redirecting to https is for what ends TLS; we are also asked from inside, over http
]
AUTHENTICATION_BACKENDS = ["accounts.backends.UsernameOrEmailBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SIMPLE_JWT = {"TOKEN_TYPE_CLAIM": "typ", "USER_ID_CLAIM": "sub"}  # keys and the rest: accounts/tokens.py
ACCESS_TOKEN_LIFETIME = timedelta(minutes=10)
REFRESH_TOKEN_LIFETIME = timedelta(days=30)
# What one address may do before it has to wait (accounts/attempts.py). A school or a company is one address.
LOGIN_FAILURES_PER_ADDRESS = env.count("LECTERN_LOGIN_FAILURES_PER_ADDRESS", default=50)
REGISTRATIONS_PER_HOUR = env.count("LECTERN_REGISTRATIONS_PER_HOUR", default=60)
STAFF_TOTP = env.choice("LECTERN_STAFF_TOTP", ["off", "optional", "required"], "optional")  # accounts/second_factor.py

# --- Money -------------------------------------------------------------------------------------------------------
SANDBOX_PAYMENTS = env.flag("LECTERN_SANDBOX_PAYMENTS")
if SANDBOX_PAYMENTS and BEHIND_TLS:
    _sandbox_should_be = "0 where real people pay, since the sandbox gives credit for nothing"
    stop("LECTERN_SANDBOX_PAYMENTS", "is 1 while LECTERN_PUBLIC_URL is https", _sandbox_should_be)
SANDBOX_SECRET = secret("LECTERN_SANDBOX_SECRET") if SANDBOX_PAYMENTS else ""
STRIPE_SECRET_KEY = env.text("LECTERN_STRIPE_SECRET_KEY", "Stripe's secret key, sk_live_… or rk_live_…", "")
STRIPE_WEBHOOK_SECRETS = env.names("LECTERN_STRIPE_WEBHOOK_SECRET")  # two while one is being replaced by the other
STRIPE_API_BASE = "https://api.stripe.com"
if bool(STRIPE_SECRET_KEY) != bool(STRIPE_WEBHOOK_SECRETS):
    _lacking = "LECTERN_STRIPE_WEBHOOK_SECRET" if STRIPE_SECRET_KEY else "LECTERN_STRIPE_SECRET_KEY"
    stop(_lacking, "is missing", "set together with the other one of Stripe's two secrets, or both left out")

APPROVAL_LIMIT = env.number("LECTERN_APPROVAL_LIMIT", "a number of credits", 1000)

# --- Mail --------------------------------------------------------------------------------------------------------
_email_url = env.email("EMAIL_URL", "the mail server, smtp+tls://user:password@host:587")
MAIL_IS_SENT = bool(_email_url)  # else it stays in the outbox, for admins to read
EMAIL_BACKEND = _email_url.get("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST, EMAIL_PORT = _email_url.get("EMAIL_HOST", ""), _email_url.get("EMAIL_PORT") or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = (
    _email_url.get("EMAIL_HOST_USER") or "",
    _email_url.get("EMAIL_HOST_PASSWORD") or "",
)
EMAIL_USE_TLS, EMAIL_USE_SSL = _email_url.get("EMAIL_USE_TLS", False), _email_url.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10  # seconds
MAIL_FROM = env.mailbox(
    "SUPPORT_EMAIL", "the address that mail comes from, support@example.org", f"lectern@{_public.hostname}"
)

# --- Files -------------------------------------------------------------------------------------------------------
_kept = BASE_DIR / ".lectern-dev"
MEDIA_ROOT = Path(required("LECTERN_MEDIA_ROOT", "the folder of packaged videos", str(_kept / "media")))
UPLOADS_ROOT = Path(required("LECTERN_UPLOADS_ROOT", "the folder of uploaded videos", str(_kept / "uploads")))
MEDIA_STORAGE = env.choice("MEDIA_STORAGE", ["local", "s3"], "local")  # media/stores.py
if MEDIA_STORAGE == "s3":
    S3_ENDPOINT_URL = env.address("S3_ENDPOINT_URL", "the store's address, such as https://s3.example.org").geturl()
    S3_BUCKET = env.text("S3_BUCKET", "the name of a bucket")
    S3_REGION = env.text("S3_REGION", "a region's name", "us-east-1")
    S3_ACCESS_KEY_ID = env.text("S3_ACCESS_KEY_ID", "an access key's id")
    S3_SECRET_ACCESS_KEY = env.text("S3_SECRET_ACCESS_KEY", "that access key's secret")
    S3_CA_BUNDLE = env.text("S3_CA_BUNDLE", "", "")
    if S3_CA_BUNDLE and not Path(S3_CA_BUNDLE).is_file():
        stop(
            "S3_CA_BUNDLE",
            "names no file",
            "the path of a file with the authorities (PEM) whose certificates the store shows",
        )
# A section's page in the admin site has seven fields a lesson, and a section may have 2,000 lessons: Django's 1,000 end at 140.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler", "media.parsers.RoomyFiles"]
BOOKS_ROOT = Path(required("LECTERN_BOOKS_ROOT", "the folder of signed wallet heads", str(_kept / "books")))
FFMPEG = env.text("LECTERN_FFMPEG", "the path of an ffmpeg program", shutil.which("ffmpeg") or "")
ENCODING_PRESET = env.choice(
    "LECTERN_ENCODING_PRESET", ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"], "veryfast"
)
STATIC_URL = "/static/"
STATIC_ROOT = env.text("LECTERN_STATIC_ROOT", "a folder", str(BASE_DIR / "staticfiles"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.static_files.HashedStaticFiles"},
}

# --- API ---------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.AccessTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["config.permissions.DenyAll"],  # each view says who may; one that forgets is closed
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "config.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "config.openapi.Schema",
    "EXCEPTION_HANDLER": "config.problems.handle",
    "URL_FORMAT_OVERRIDE": None,  # ?format= is nobody's business
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lectern core-api",
    "DESCRIPTION": "Accounts, courses, wallet and payments.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "CourseStatus": "courses.models.Course.Status",
        "LessonKind": "courses.models.Lesson.Kind",
        "VideoStatus": ["none", "queued", "processing", "ready", "failed"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.openapi.describe_problems",
    ],
}

# --- Security of pages -------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_NAME = "__Host-lectern" if BEHIND_TLS else "lectern"
CSRF_COOKIE_NAME = "__Host-lectern-csrf" if BEHIND_TLS else "lectern-csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if BEHIND_TLS else 0
# config/client_address.py drops the header unless a trusted proxy sent it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Web apps of other origins (deploy/contracts.md). No cookies: an app sends its token itself.
CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
CORS_ALLOW_METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
CORS_ALLOW_HEADERS = ["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Range"]
CORS_EXPOSE_HEADERS = [
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
]
CORS_PREFLIGHT_MAX_AGE = 600  # seconds
CORS_URLS_REGEX = r"^/(api|\.well-known)/"  # not the admin site

# --- The rest ----------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "config.formats"
LOG_LEVEL = env.choice("LECTERN_LOG_LEVEL", ["debug", "info", "warning"], "info").upper()
LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"level": LOG_LEVEL}
ALIVE_FILE = env.text("LECTERN_ALIVE_FILE", "a path that worker and packager may write", "")
