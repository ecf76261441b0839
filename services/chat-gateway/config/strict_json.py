"""A JSON body means what it says: a number is no text, a text is no number, and neither is true or false.

DRF's fields turn one into the other, so that `{"name": 0}` would be kept as "0", against the OpenAPI document. It has no
switch for that, and fields of our own would have to be remembered in every serializer: so its own classes are made
strict, once, at start. What comes in a query or a form is text, and stays as lenient as it was. A body that is nested deeper
than Python reads is malformed like any other that cannot be read, and no row is looked up by what PostgreSQL cannot compare.
"""

from __future__ import annotations

import functools
from typing import Any

from django.http import QueryDict
from rest_framework import exceptions, parsers, serializers

JSON_TYPES: dict[type[serializers.Field[Any, Any, Any, Any]], tuple[type, ...]] = {
    serializers.CharField: (str,),
    serializers.UUIDField: (str,),
    serializers.IntegerField: (int, float),
    serializers.FloatField: (int, float),
    serializers.BooleanField: (bool,),
}


def install() -> None:
    for field, types in JSON_TYPES.items():
        field.to_internal_value = _strict(field.to_internal_value, types)  # type: ignore[method-assign]  # DRF has no switch for it
    parsers.JSONParser.parse = _shallow(parsers.JSONParser.parse)  # type: ignore[method-assign]  # it lets the error through
    by_slug = serializers.SlugRelatedField
    by_slug.to_internal_value = _text_alone(by_slug.to_internal_value)  # type: ignore[method-assign]  # as it does this one


def _shallow(parse: Any) -> Any:
    @functools.wraps(parse)
    def parse_or_refuse(*arguments: Any, **named: Any) -> Any:
        try:
            return parse(*arguments, **named)
        except RecursionError as error:
            raise exceptions.ParseError from error

    return parse_or_refuse


def _text_alone(look_up: Any) -> Any:
    @functools.wraps(look_up)
    def to_internal_value(field: Any, data: Any) -> Any:
        if not isinstance(data, str) or "\0" in data:
            field.fail("invalid")
        return look_up(field, data)

    return to_internal_value


def _strict(lenient: Any, types: tuple[type, ...]) -> Any:
    @functools.wraps(lenient)
    def to_internal_value(field: Any, data: Any) -> Any:
        came_as_json = isinstance(data, (str, int, float, bool)) and not isinstance(
            getattr(field.root, "initial_data", None), QueryDict
        )
        if came_as_json and (not isinstance(data, types) or (isinstance(data, bool) and bool not in types)):
            field.fail("invalid", value=data)
        return lenient(field, data)

    return to_internal_value
