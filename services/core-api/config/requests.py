"""What views read from a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rest_framework.serializers import Serializer

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

    from accounts.models import User


def person(request: HttpRequest | Request) -> User:
    """Who sends a request to what is for people who are logged in alone."""
    return cast("User", request.user)


def validated(shape: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """What the body says, in this shape. Raises ValidationError, which is answered 422 `invalid`."""
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)
