"""Settings, read once from the environment. The table of names is in deploy/contracts.md."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import environ

from config import environment, logs
from config.environment import names, parsed, text

BASE_DIR = Path(__file__).resolve().parents[1]
if (BASE_DIR / ".env").is_file():
    environ.Env.read_env(BASE_DIR / ".env")  # development; what the environment says wins

LOG_LEVEL = parsed(
    "LECTERN_LOG_LEVEL", "debug, info or warning", environment.one_of("debug", "info", "warning"), "info"
)
LOGGING_CONFIG = None
logs.configure(LOG_LEVEL)

A_POSTGRES_URL = "a PostgreSQL URL, postgres://user:password@host:5432/database"
DATABASE_URL = text("DATABASE_URL", A_POSTGRES_URL)
SECRET_KEY = text("DJANGO_SECRET_KEY", "a long random text, known to this service alone")
PUBLIC_URL = parsed(
    "LECTERN_PUBLIC_URL", "the one address that people use, https://learn.example.com", environment.web_url
)
JWKS_URL = parsed(
    "LECTERN_JWKS_URL",
    "where core-api's public keys are, http://core-api:8000/.well-known/jwks.json",
    environment.http_url,
)
REDIS_URL = parsed("REDIS_URL", "a Redis URL, redis://:password@host:6379/0", environment.redis_url, "")
ALLOWED_ORIGINS = parsed(
    "LECTERN_ALLOWED_ORIGINS",
    "a comma-separated list of origins, https://app.example.com",
    lambda value: [environment.web_url(part) for part in names(value)],
    "",
)
TRUSTED_PROXIES = parsed(
    "LECTERN_TRUSTED_PROXIES", "a comma-separated list of networks, 10.0.0.0/8", environment.networks, ""
)
ERASURE_SWEEP = parsed(
    "LECTERN_ERASURE_SWEEP",
    "a number of seconds, how often to look for erased people whose notification was lost",
    environment.seconds,
    "60",
)
MAIL_AFTER = timedelta(
    minutes=parsed(
        "LECTERN_CHAT_MAIL_AFTER",
        "a number of minutes, after which somebody who is away gets a mail about unread messages",
        environment.between(0.01, 10_000),
        "10",
    )
)
IDLE_AFTER = timedelta(
    days=parsed(
        "LECTERN_CHAT_IDLE_DAYS",
        "a number of days, after which a ticket closes that its learner does not answer; 0: never",
        environment.between(0, 3650),
        "7",
    )
)
ATTACHMENTS_ROOT = parsed(
    "LECTERN_ATTACHMENTS_ROOT", "the absolute path of the folder that takes attachments", environment.absolute_path
)
CLAMAV_ADDRESS = parsed("CLAMAV_ADDRESS", "where ClamAV's daemon listens, clamav:3310", environment.host_and_port, "")
HOST = text("LECTERN_HOST", "the address to listen on", "127.0.0.1")
PORT = parsed("LECTERN_PORT_INTERNAL", "the port to listen on, 0 to 65535", environment.port, "8003")

DATABASES = {
    "default": parsed("DATABASE_URL", A_POSTGRES_URL, environment.postgres)
    | {
        "CONN_HEALTH_CHECKS": True,  # a connection that died with a restarted PostgreSQL is not handed out
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 8, "timeout": 3, "reconnect_timeout": 2}},
    },
    "owner": parsed("MIGRATION_DATABASE_URL", A_POSTGRES_URL, environment.postgres, DATABASE_URL),  # `migrate` alone
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False

DEBUG = False
ALLOWED_HOSTS = ["*"]  # nothing here is built from the Host header: links use PUBLIC_URL
INSTALLED_APPS = ["corsheaders", "rest_framework", "drf_spectacular", "tickets"]
MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware"]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "realtime.asgi.application"
APPEND_SLASH = False

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

FILE_UPLOAD_HANDLERS = ["tickets.forms.Spooled"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tickets.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tickets.permissions.Declared"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "tickets.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "tickets.schema.Schema",
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,  # ?format= is nobody's business
    "EXCEPTION_HANDLER": "tickets.errors.render",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lectern support chat",
    "DESCRIPTION": "Support tickets. The live conversation is described by `/chat/v1/asyncapi.json`.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/chat/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tickets.schema.describe_problems",
    ],
    "ENUM_NAME_OVERRIDES": {
        "TicketStateEnum": "tickets.models.TicketState",
        "AgentStatusEnum": "tickets.models.Presence",
        "AttachmentStateEnum": "tickets.models.AttachmentState",
    },
}
