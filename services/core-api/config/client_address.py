"""Whose forwarded headers count: those of LECTERN_TRUSTED_PROXIES alone."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")


class ClientAddressMiddleware:
    """Makes REMOTE_ADDR the client's own address; drops the forwarded headers of everybody who is not a trusted proxy.

    Stands first, so that all code after it may believe both.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._networks = [ip_network(network) for network in settings.TRUSTED_PROXIES]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self._trusts(request.META.get("REMOTE_ADDR", "")):
            request.META["REMOTE_ADDR"] = self._client(request)
        else:
            for name in FORWARDED:
                request.META.pop(name, None)
        return self.get_response(request)

    def _trusts(self, address: str) -> bool:
        try:
            return any(ip_address(address) in network for network in self._networks)
        except ValueError:
            return False

    def _client(self, request: HttpRequest) -> str:
        """The nearest address that is not a trusted proxy's; what stands further left could be made up."""
        peer: str = request.META["REMOTE_ADDR"]
        for address in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            try:
                ip_address(address.strip())
            except ValueError:
                break
            peer = address.strip()
            if not self._trusts(peer):
                break
        return peer


def client_address(request: HttpRequest) -> str | None:
    """The address of the client, or None where the server has none (a Unix socket)."""
    return request.META.get("REMOTE_ADDR") or None
