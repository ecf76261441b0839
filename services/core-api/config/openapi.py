"""How routes appear in the OpenAPI document: each with its permission and its problem answers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema


class Schema(AutoSchema):
    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            labels = [
                getattr(permission, "label", type(permission).__name__) for permission in self.view.get_permissions()
            ]
            operation["x-permission"] = " and ".join(labels)
        return operation
