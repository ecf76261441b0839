"""Answers that a client may keep, and asks about again: ETag and 304."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The ETag of the answer that one has."
)
NOT_MODIFIED = OpenApiResponse(description="What one has is what one would get.")


class Revalidated(APIView):
    """A view whose GET answers carry the ETag of their bytes, and which answers 304 to who has these already.

    What is shown depends on who asks, so only the person's own cache may keep it; that of nobody in particular any may.
    """

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if request.method in ("GET", "HEAD"):
            patch_vary_headers(answer, ["Authorization"])
            if answer.status_code == 200:
                keeper = "private" if "Authorization" in request.headers else "public"
                patch_cache_control(answer, **{keeper: True, "no_cache": True})
                answer.add_post_render_callback(partial(_unless_known, request._request))
        return answer


def _unless_known(request: HttpRequest, response: Response) -> HttpResponseBase | None:
    etag = f'"{blake2b(response.content, digest_size=16).hexdigest()}"'
    response["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=response)
