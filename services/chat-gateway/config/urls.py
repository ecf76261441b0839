"""Everything over HTTP lies below /chat/v1/; /healthz, /readyz and /metrics are answered before Django (realtime/)."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("chat/v1/", include("tickets.urls"))]
handler404 = "tickets.errors.page_not_found"
handler500 = "tickets.errors.server_error"
handler400 = "tickets.errors.bad_request"
