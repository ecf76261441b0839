"""What a person may ask about themselves."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from config.permissions import Authenticated
from config.requests import person
from privacy.export import export


class ZipRenderer(JSONRenderer):
    """Lets a client ask for application/zip; a refusal is JSON all the same."""

    media_type = "application/zip"
    format = "zip"


class ExportView(APIView):
    permission_classes = (Authenticated,)
    renderer_classes = (ZipRenderer, JSONRenderer)

    @extend_schema(operation_id="export_me", responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request) -> Any:
        """Everything that is held about the person, by any service: a ZIP of JSON files, README.txt says what each is.

        At most 5 an hour. `manifest.json` names a service whose part could not be had (`missing`).
        """
        user = person(request)
        return FileResponse(
            export(user),
            as_attachment=True,
            filename=f"lectern-{user.username}.zip",
            content_type="application/zip",
            headers={"Cache-Control": "no-store"},
        )
