"""The admin process: `python -m admin`, configured by the environment. Starts even if Temporal is unavailable."""

import asyncio
from functools import partial
from typing import Final

import uvicorn
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from admin.app import admin_application
from process.asgi import listening
from process.connection.rotation import renewing
from process.run import run
from process.settings import TemporalSettings
from process.temporal import connect, runtime_with_metrics

DRAIN_S: Final = 10


class AdminSettings(BaseSettings):
    """Settings of the admin process."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", frozen=True, extra="ignore")

    admin_address: str = "127.0.0.1:8081"
    stop_delay: float = Field(default=0.0, ge=0, le=20)
    """Seconds for which requests are answered after SIGTERM: behind a Service, until nobody is sent here any more."""


async def work(settings: AdminSettings, stop: asyncio.Event) -> None:
    """Serves until `stop` is set. Raises OSError if the address cannot be bound."""
    runtime, sdk_port = runtime_with_metrics()
    client = await connect(TemporalSettings(), runtime=runtime, lazy=True)
    app = admin_application(client, sdk_port)
    config = uvicorn.Config(app, log_level="info", access_log=False, timeout_graceful_shutdown=DRAIN_S)
    async with renewing(client), listening(settings.admin_address, config, settings.stop_delay):
        await stop.wait()


def main() -> None:
    """Entry point of `python -m admin`."""
    run(partial(work, AdminSettings()))


if __name__ == "__main__":
    main()
