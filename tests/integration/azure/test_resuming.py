"""What survives: the client that polls, the connection, the ARM emulator itself."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from deploy.local.azure.control_client import ControlClient

# Longer than the ARM emulator takes to start again on any machine.
SLOW_S = 600


async def test_a_second_client_takes_up_a_create_by_its_continuation_token(emulator: Any, pools: Any) -> None:
    token = (await pools.begin("resumed")).continuation_token()
    async with emulator.azure() as other:
        created = await (await type(pools)(other).resume("resumed", token)).result()
    assert (created.name, created.provisioning_state) == ("resumed", "Succeeded")


async def test_a_second_client_takes_up_a_delete_by_its_continuation_token(emulator: Any, pools: Any) -> None:
    await pools.create("leaving")
    token = (await pools.begin_delete("leaving")).continuation_token()
    async with emulator.azure() as other:
        await (await type(pools)(other).begin_delete("leaving", continuation_token=token)).result()
    assert "leaving" not in await pools.names()


async def test_a_killed_emulator_resumes_its_operations(new_emulator: Any, pools: Any) -> None:
    arm = new_emulator()
    async with arm.azure() as client:
        mine = type(pools)(client)
        await mine.create("deleted")
        control = ControlClient(arm.address)
        control.add_fault("slow-operation", seconds=SLOW_S)
        deleting = await mine.begin_delete("deleted")
        creating = await mine.begin("created", tags={"owner": "me"})
        before = control.state()["operations"]
        arm.kill()
        arm.start()
        assert control.state()["operations"] == before  # neither begins its time anew
        assert (await mine.get("created")).provisioning_state == "Creating"
        assert control.hasten_operations() == 2
        created = await creating.result()
        assert (created.provisioning_state, created.tags) == ("Succeeded", {"owner": "me"})
        await deleting.result()
        assert await mine.names() == ["system", "created"]


async def test_faults_and_settings_survive_a_restart(new_emulator: Any, pools: Any) -> None:
    arm = new_emulator()
    control = ControlClient(arm.address)
    control.add_fault("quota-exceeded", times=1)
    control.change_settings(create_seconds=0.1)
    arm.kill()
    arm.start()
    assert control.state()["settings"]["create_seconds"] == 0.1
    async with arm.azure() as client:
        with pytest.raises(HttpResponseError):
            await type(pools)(client).begin("refused")
        await type(pools)(client).create("accepted")


async def test_an_unknown_operation_is_not_found(emulator: Any) -> None:
    async with emulator.azure() as client:
        path = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.ContainerService"
        request = HttpRequest("GET", f"{path}/locations/eastus/operations/unknown?api-version=2026-08-01")
        response = await client.send_request(request)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "NotFound")
