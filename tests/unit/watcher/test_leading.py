"""What the API server may say to the making of the Lease, and what the watcher makes of it."""

from typing import Any, cast

import aiohttp
import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster
from watcher.leader_election import _ensure_lease


class Answering:
    """An API server that says one thing."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def create(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._error:
            raise self._error
        return body


def answering(error: Exception | None) -> Cluster:
    return cast(Cluster, Answering(error))


@pytest.mark.parametrize("error", [None, ApiException(status=409)])
async def test_an_existing_lease_is_used(error: Exception | None) -> None:
    assert await _ensure_lease(answering(error), "system")


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientOSError(104, "Connection reset by peer"),
        TimeoutError(),
        ApiException(status=503),
        ApiException(status=429),
    ],
    ids=["reset", "timeout", "503", "429"],
)
async def test_an_unreachable_or_busy_api_server_is_queried_again(error: Exception) -> None:
    assert not await _ensure_lease(answering(error), "system")


async def test_a_refusal_ends_the_process() -> None:
    with pytest.raises(ApiException):
        await _ensure_lease(answering(ApiException(status=403)), "system")
