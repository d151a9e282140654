"""Faults that answer a request with an error: what the SDK makes of each, and that nothing has been bought."""

import time
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ServiceRequestError

A100_FAMILY = "StandardNCADSA100v4Family"


@pytest.mark.parametrize(
    ("fault", "status", "code", "words"),
    [
        pytest.param(
            {"kind": "quota-exceeded"},
            400,
            "ErrCode_InsufficientVCPUQuota",
            rf"requested 48, remaining 0 for family {A100_FAMILY} for region eastus",
            id="quota",
        ),
        pytest.param(
            {"kind": "quota-exceeded", "variant": "cores"},
            409,
            "OperationNotAllowed",
            rf"exceeding approved {A100_FAMILY} Cores quota.*Current Limit: 0.*Additional Required: 48.*Required: 48",
            id="quota-as-conflict",
        ),
        pytest.param({"kind": "sku-not-available"}, 400, "BadRequest", "not allowed in your subscription", id="sku"),
        pytest.param(
            {"kind": "sku-not-available", "variant": "code"},
            409,
            "SkuNotAvailable",
            "not available",
            id="sku-code",
        ),
        pytest.param({"kind": "cluster-stopped"}, 409, "OperationNotAllowed", "Stopped", id="stopped"),
        pytest.param({"kind": "cluster-upgrading"}, 409, "OperationNotAllowed", "Upgrading", id="upgrading"),
        pytest.param({"kind": "throttled", "seconds": 7}, 429, "TooManyRequests", "throttled", id="throttled"),
        pytest.param({"kind": "server-error"}, 500, "InternalServerError", "internal error", id="500"),
        pytest.param({"kind": "server-error", "status": 503}, 503, "ServiceUnavailable", "internal error", id="503"),
    ],
)
async def test_a_refusal_reaches_the_client_and_buys_nothing(
    emulator: Any, pools: Any, control: Any, error_of: Any, fault: dict[str, Any], status: int, code: str, words: str
) -> None:
    control.add_fault(**fault, times=1, method="PUT")
    async with emulator.azure(retry_total=0) as impatient:
        with pytest.raises(HttpResponseError, match=words) as refused:
            await type(pools)(impatient).begin("refused", count=2)
    assert (refused.value.status_code, error_of(refused.value)) == (status, code)
    assert "refused" not in await pools.names()
    await pools.create("refused", count=2)
    await pools.delete("refused")


async def test_a_quota_error_can_hide_in_the_details_of_a_bad_request(pools: Any, control: Any, error_of: Any) -> None:
    control.add_fault("quota-exceeded", variant="nested", times=1)
    with pytest.raises(HttpResponseError) as refused:
        await pools.begin("nested", count=2)
    assert (refused.value.status_code, error_of(refused.value)) == (400, "BadRequest")
    parsed: Any = refused.value.error
    [template] = parsed.details
    [inner] = template.details
    assert (template.code, inner.code) == ("InvalidTemplateDeployment", "QuotaExceeded")
    assert "Current Limit: 0, Current Usage: 0, Additional Required: 48" in inner.message


async def test_the_sdk_waits_for_retry_after_when_throttled(pools: Any, control: Any) -> None:
    control.add_fault("throttled", seconds=1, times=1, method="PUT")
    begun = time.monotonic()
    created = await pools.create("throttled")
    assert created.provisioning_state == "Succeeded"
    assert time.monotonic() - begun >= 1
    assert control.calls()["PUT agentPool"] >= 2


async def test_the_sdk_retries_server_errors_while_it_polls(pools: Any, control: Any) -> None:
    control.add_fault("server-error", status=502, times=2, route="operation")
    assert (await pools.create("ridden")).provisioning_state == "Succeeded"
    assert control.faults() == []


async def test_a_concurrent_write_makes_the_etag_stale(pools: Any, control: Any) -> None:
    pool = await pools.create("raced")
    control.add_fault("etag-conflict", times=1)
    fresh = {"etag": pool.e_tag, "match_condition": MatchConditions.IfNotModified}
    with pytest.raises(ResourceModifiedError):
        await pools.begin("raced", fresh, count=2)
    current = await pools.get("raced")
    again = {"etag": current.e_tag, "match_condition": MatchConditions.IfNotModified}
    assert (await (await pools.begin("raced", again, count=2)).result()).count == 2


async def test_a_fault_strikes_only_the_pools_it_names(pools: Any, control: Any) -> None:
    control.add_fault("sku-not-available", pool="bad*")
    await pools.create("good")
    with pytest.raises(HttpResponseError):
        await pools.begin("bad1")
    with pytest.raises(HttpResponseError):
        await pools.begin("bad2")


async def test_a_cluster_is_stopped_until_the_fault_is_cleared(pools: Any, control: Any) -> None:
    fault = control.add_fault("cluster-stopped")
    assert (await pools.cluster()).power_state.code == "Stopped"
    with pytest.raises(ResourceExistsError):
        await pools.begin_delete("system")
    assert control.clear_faults(fault["id"]) == 1
    assert (await pools.cluster()).power_state.code == "Running"


async def test_a_lost_answer_has_its_effect_and_the_sdks_retry_finds_the_pool_busy(
    pools: Any, control: Any, error_of: Any
) -> None:
    control.add_fault("lost-response", times=1, pool="lost")
    control.change_settings(create_seconds=600)  # still under way when the SDK asks again, on a busy machine too
    with pytest.raises(ResourceExistsError, match="in progress create node pool operation") as refused:
        await pools.begin("lost")
    assert error_of(refused.value) == "OperationNotAllowed"
    assert (await pools.get("lost")).provisioning_state == "Creating"
    control.hasten_operations()


async def test_a_lost_answer_to_a_delete_has_its_effect(emulator: Any, pools: Any, control: Any) -> None:
    await pools.create("lostdel")
    control.add_fault("lost-response", times=1, method="DELETE")
    # The SDK repeats the DELETE, which joins the one that is under way.
    await pools.delete("lostdel")
    assert "lostdel" not in await pools.names()


async def test_without_retries_a_lost_answer_is_a_lost_connection(emulator: Any, pools: Any, control: Any) -> None:
    # aiohttp, below the SDK, repeats a PUT once by itself when the connection ends: its second answer is lost too.
    # The SDK then says ServiceRequestError, as if nothing had been sent: only a GET tells what really happened.
    control.add_fault("lost-response", times=2)
    async with emulator.azure(retry_total=0) as impatient:
        with pytest.raises(ServiceRequestError):
            await type(pools)(impatient).begin("unheard")
    assert "unheard" in await pools.names()
