from django.conf import settings
from django.urls import path, re_path
from django.views.static import serve

from config import api_pages, system

urlpatterns = [
    path("", system.home),
    path("healthz", system.healthz),
    path("readyz", system.readyz),
    path("metrics", system.metrics_page),
    path("api/schema/", api_pages.schema, name="schema"),
    path("api/schema/swagger-ui/", api_pages.swagger_ui, name="swagger-ui"),
    path("api/schema/redoc/", api_pages.redoc, name="redoc"),
    re_path(r"^(?:api|\.well-known)/", system.nothing_here),
]
if settings.DEBUG:  # elsewhere nginx serves them
    urlpatterns.append(path("posters/<path:path>", serve, {"document_root": settings.MEDIA_ROOT / "posters"}))
