"""The admin process: `python -m admin`, configured by the environment. Starts while Temporal is away."""

import asyncio
import logging
import os
from typing import Final

import uvicorn
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.endpoint import free_loopback_port
from activities.settings import TemporalSettings
from admin.app import admin_application
from workflows.connecting import connect
from workflows.leaving import leave

DRAIN_S: Final = 10


class AdminSettings(BaseSettings):
    """Where the admin process listens."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", frozen=True, extra="ignore")

    admin_address: str = "127.0.0.1:8081"


async def run(settings: AdminSettings) -> None:
    """Serves until SIGTERM or SIGINT. Raises OSError where the address cannot be taken."""
    sdk_port = free_loopback_port()
    client = await connect(TemporalSettings(), sdk_metrics_port=sdk_port, lazy=True)
    host, _, port = settings.admin_address.rpartition(":")
    app = admin_application(client, sdk_port)
    config = uvicorn.Config(
        app, host=host, port=int(port), log_level="info", access_log=False, timeout_graceful_shutdown=DRAIN_S
    )
    await uvicorn.Server(config).serve()


def main() -> None:
    """Entry point of `python -m admin`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run(AdminSettings()))
    leave(os.EX_OK)


if __name__ == "__main__":
    main()
