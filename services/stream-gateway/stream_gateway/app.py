"""Makes the application. Each worker process makes its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from stream_gateway import logs, problems
from stream_gateway.bodies import UPLOADS, SmallBodies
from stream_gateway.files import Files
from stream_gateway.gateway import Gateway
from stream_gateway.origins import CrossOrigin
from stream_gateway.routes import attachments, playback, service, uploads, watermark
from stream_gateway.settings import Settings
from stream_gateway.uploads.middleware import Tus


def create_app(gateway: Gateway | None = None) -> FastAPI:
    """The application of `gateway`, by default one of the environment's settings."""
    held = gateway or Gateway(Settings.read())
    logs.configure(held.settings.log_level)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with held.running():
            yield

    app = FastAPI(
        title="Lectern stream-gateway",
        version="1",
        description="Decides who may have which bytes of video, and which files of lessons, now.",
        lifespan=lifespan,
        openapi_url=None,  # a route of our own, which declares its permission like the others
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.gateway = held
    # watermark before playback, whose {file} is any name
    routers = (watermark.router, playback.router, attachments.router, uploads.router, service.router)
    for router in routers:
        app.include_router(router)
    problems.install(app, *routers)
    app.add_middleware(SmallBodies)
    app.add_middleware(Tus, below=UPLOADS)
    if held.settings.allowed_origins:
        app.add_middleware(CrossOrigin, origins=held.settings.allowed_origins)
    app.add_middleware(logs.Requests)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(held.settings.trusted_proxies))
    return app


def served(gateway: Gateway | None = None) -> ASGIApp:
    """What is run: the quick way of files.py stands before the framework, whose own layers cost as much as the decision."""
    app = create_app(gateway)
    held: Gateway = app.state.gateway
    return Files(app, held) if held.settings.delivery == "accel" else app
