"""Assembles the emulator and serves it over TLS: records, machines, operations, routes, gate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from deploy.local.azure.errors import ArmError, front_end
from deploy.local.azure.files import ArmFiles, read_token
from deploy.local.azure.http.control_routes import control_router
from deploy.local.azure.http.gate import Calls, Gate
from deploy.local.azure.http.routes import arm_router
from deploy.local.azure.identity import Identity
from deploy.local.azure.nodes.machines import Machines
from deploy.local.azure.operations import Operations
from deploy.local.azure.records import RecordsFile, Settings
from deploy.local.azure.service import Service


@dataclass(frozen=True)
class Endpoint:
    """Where to listen, and with which certificate and key (PEM files)."""

    host: str
    port: int
    certificate: Path
    key: Path


def serve(files: ArmFiles, endpoint: Endpoint, machines: Machines, settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. `settings` apply to a new emulator; one with records keeps its own."""
    files.records.parent.mkdir(parents=True, exist_ok=True)
    app = application(RecordsFile(files.records, settings), machines, read_token(files.token))
    uvicorn.Server(
        uvicorn.Config(
            app,
            host=endpoint.host,
            port=endpoint.port,
            ssl_certfile=str(endpoint.certificate),
            ssl_keyfile=str(endpoint.key),
            http=Connection,
            log_config=None,
            access_log=False,
            # Longer than clients keep idle connections (aiohttp: 15 s): aiohttp repeats a request whose connection
            # closes, and a repeated PUT looks like a second one.
            timeout_keep_alive=75,
            # Clients keep connections open; shutdown does not wait for them.
            timeout_graceful_shutdown=2,
        )
    ).run()


def application(file: RecordsFile, machines: Machines, token: str) -> ASGIApp:
    """Returns the emulator as an ASGI application."""
    identity, calls = Identity(), Calls()
    operations = Operations(file, machines, identity)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await machines.open()
        operations.resume()
        yield
        await operations.close()
        await machines.close()

    app = FastAPI(title="ARM emulator", lifespan=lifespan, openapi_url=None)
    service = Service(file, operations, identity)
    app.include_router(arm_router(service))
    app.include_router(control_router(service, calls))
    _answer_in_arms_words(app)
    return Gate(app, file, calls, token)


class Connection(H11Protocol):
    """Lets the application close the connection: its transport is in scope["state"]."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def _answer_in_arms_words(app: FastAPI) -> None:
    @app.exception_handler(ArmError)
    async def refused(request: Request, error: ArmError) -> JSONResponse:
        return JSONResponse(error.content(), error.status, error.headers)

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)
    async def misused(request: Request, error: RequestValidationError | ValidationError) -> JSONResponse:
        problems = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        return JSONResponse({"detail": problems}, 422)

    @app.exception_handler(404)
    async def no_such_route(request: Request, error: Exception) -> JSONResponse:
        missing = front_end(404, "InvalidResourceType", f"No resource type answers at {request.url.path}.")
        return JSONResponse(missing.content(), 404)
