"""Is it alive, can it work, how is it doing: for machines on the internal network; nginx routes none of these."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.csrf import csrf_exempt

from config import metrics
from config.permissions import declares
from config.problems import NotFound, Unavailable, respond


@declares("internal")
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@declares("internal")
def readyz(request: HttpRequest) -> HttpResponse:
    """200 once the database answers and has every migration; else 503 with what is missing."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        _require_migrations()
    except DatabaseError:
        return respond(Unavailable("The database is not reachable."))
    except NotMigrated:
        return respond(Unavailable("The database lacks migrations: run `python manage.py migrate`."))
    return HttpResponse("ok\n", content_type="text/plain")


@declares("internal")
def metrics_page(request: HttpRequest) -> HttpResponse:
    return metrics.exposition()


@declares("public")
@csrf_exempt  # there is nothing to forge, and a client of the API reads problems, not pages
def nothing_here(request: HttpRequest, rest: str = "") -> HttpResponse:
    """What no route of the API answers, also in development, where Django would show a page of its own."""
    return respond(NotFound())


@declares("public")
def home(request: HttpRequest) -> HttpResponse:
    """Only `runserver` shows it: behind nginx, `/` is a page of nginx's."""
    return HttpResponseRedirect("/api/schema/swagger-ui/") if settings.DEBUG else nothing_here(request)


class NotMigrated(Exception):
    pass


@cache
def _require_migrations() -> None:
    """Looked up until it is true once: migrations are never taken back under a running service."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotMigrated
