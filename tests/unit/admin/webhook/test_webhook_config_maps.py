"""Which ConfigMaps are read for a review, and that none of them can hold it up or lead elsewhere."""

import asyncio
from typing import Any, cast

import aiohttp
import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from admin.webhook import config_maps
from admin.webhook.admission_review import Review
from admin.webhook.config_maps import ClusterConfigMaps, config_map_names
from testing.deadlines import PATIENCE_S

DOCUMENT = {"inference": {"config": "serve"}, "tuning": {"config": "train"}}


class Cupboard:
    """An API server that has one ConfigMap, raises, or does not answer."""

    def __init__(self, error: Exception | None = None, *, silent: bool = False) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._error, self._silent = error, silent

    async def get(self, kind: str, name: str, namespace: str) -> Object | None:
        self.asked.append((kind, namespace, name))
        if self._error:
            raise self._error
        if self._silent:
            await asyncio.Event().wait()
        return {"data": {"key": "value"}} if name == "serve" else None


def review(document: Any = DOCUMENT, operation: Any = "CREATE", namespace: str = "team") -> Review:
    return Review("u", operation, "", namespace, document, None)


async def named(cupboard: Cupboard, asked: Review) -> Any:
    return await ClusterConfigMaps(cast(Cluster, cupboard)).named_by(asked)


async def test_those_that_exist_are_given_by_name() -> None:
    cupboard = Cupboard()
    assert await named(cupboard, review()) == {"serve": {"data": {"key": "value"}}}
    assert cupboard.asked == [("ConfigMap", "team", "serve"), ("ConfigMap", "team", "train")]


@pytest.mark.parametrize(
    "asked",
    [
        review({}),
        review({"inference": ["config"]}),
        review(operation="DELETE"),
        review(namespace="../../secrets"),
        review({"inference": {"config": "../secrets/token"}}),
        review({"inference": {"config": "a" * 254}}),
        review({"inference": {"config": "serve\n"}}),
    ],
)
async def test_nothing_is_requested_without_a_name_or_an_object(asked: Review) -> None:
    cupboard = Cupboard()
    assert await named(cupboard, asked) is None
    assert cupboard.asked == []


@pytest.mark.parametrize("error", [ApiException(status=403), aiohttp.ClientError(), TimeoutError()])
async def test_config_maps_that_cannot_be_read_are_not_checked(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    assert await named(Cupboard(error), review()) is None
    assert "not checked" in caplog.text


async def test_an_answer_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_maps, "READ_S", 0.05)
    async with asyncio.timeout(PATIENCE_S):
        assert await named(Cupboard(silent=True), review()) is None


def test_a_name_used_twice_is_listed_once() -> None:
    assert config_map_names({"inference": {"config": "one"}, "tuning": {"config": "one"}}) == ["one"]
