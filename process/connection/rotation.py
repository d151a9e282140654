"""Renews a client's credentials while its process runs: an API key, certificates or a profile that have changed in
their files, as mounted Secrets do.

A change is tried on a new connection first. One that the server accepts replaces the old one in the client and its
workers; one that it refuses is logged, the old one stays in use, and the next look tries again. Polls under way end on
the old connection, or are repeated on the new one where the server has cut them off.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from temporalio.service import ServiceClient

from process.beside import beside
from process.connection.errors import NotConnected
from process.connection.target import Misconfigured, Target

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.worker import Worker

EVERY_S: Final = 10.0
"""Between two looks at the files. The kubelet itself takes a minute to bring a changed Secret to a pod."""
FOLLOWED: Final = ("tls", "api_key", "metadata")
log = logging.getLogger(__name__)

Open = Callable[[Target], Awaitable[ServiceClient]]


class RenewableService(ServiceClient):
    """The service client of a `Client`, which can be replaced below it. `target`: what it was opened with; `read`
    returns what is configured now; `open_service` connects and raises NotConnected for what the server refuses."""

    def __init__(
        self, service: ServiceClient, target: Target, *, read: Callable[[], Target], open_service: Open
    ) -> None:
        super().__init__(service.config)
        self._service, self._target = service, target
        self._read, self._open = read, open_service

    async def renew(self) -> tuple[str, ...]:
        """Returns what has changed, after it was replaced. Raises Misconfigured and NotConnected, and nothing has
        changed then."""
        wanted = self._read()
        changed = tuple(name for name in FOLLOWED if getattr(wanted, name) != getattr(self._target, name))
        if not changed:
            return ()
        # Another server or namespace has other workflows: that is a new process' affair.
        target = replace(wanted, address=self._target.address, namespace=self._target.namespace)
        self._service = await self._open(target)
        self.config, self._target = self._service.config, target
        return changed

    @property
    def worker_service_client(self) -> Any:
        """What workers poll with."""
        return self._service.worker_service_client

    def update_rpc_metadata(self, metadata: Mapping[str, str | bytes]) -> None:
        """Changes the headers of the present connection."""
        self._service.update_rpc_metadata(metadata)

    def update_api_key(self, api_key: str | None) -> None:
        """Changes the key of the present connection."""
        self._service.update_api_key(api_key)

    async def _rpc_call(
        self,
        rpc: str,
        req: Any,
        resp_type: Any,
        *,
        service: str,
        retry: bool,
        metadata: Mapping[str, str | bytes],
        timeout: timedelta | None,
    ) -> Any:
        """Every call of a client; one under way ends on the connection that it began on."""
        return await self._service._rpc_call(
            rpc, req, resp_type, service=service, retry=retry, metadata=metadata, timeout=timeout
        )


@contextlib.asynccontextmanager
async def renewing(client: "Client", workers: "Sequence[Worker]" = (), every_s: float = EVERY_S) -> AsyncIterator[None]:
    """Follows changed credentials while the block runs. `client` is one of `process/temporal.py`; `workers` are its
    running workers. Raises TypeError for another client."""
    service = client.service_client
    if not isinstance(service, RenewableService):
        raise TypeError("the client is not one of process/temporal.py")
    following = _follow(service, client, workers, every_s)
    async with beside(following, without_it="changed credentials of Temporal are no longer noticed"):
        yield


async def _follow(service: RenewableService, client: "Client", workers: "Sequence[Worker]", every_s: float) -> None:
    told = ""
    while True:
        await asyncio.sleep(every_s)
        try:
            changed = await service.renew()
        except (Misconfigured, NotConnected) as error:
            if str(error) != told:
                log.warning("changed credentials of Temporal are not in use, the old ones stay: %s", error)
            told = str(error)
            continue
        told = ""
        if changed:
            for worker in workers:
                worker.client = client  # it takes the connection out of the client when it is set
            log.info("changed credentials of Temporal are in use: %s", ", ".join(changed))
