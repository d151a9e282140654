"""POST /plan, and the recorded plan of a Workspace that is looked after."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Deadlines, Option
from activities.planning.options import plan_option
from admin.plan import add_plans
from presets.plan.context import PlanContext
from workflows.state import WorkspaceState

UID = "0b6f3c1e-5c1f-4c8e-9a55-6f0d3f8d1a11"
WORKSPACE: dict[str, Any] = {
    "apiVersion": "kaito.sh/v1beta1",
    "kind": "Workspace",
    "metadata": {"name": "w", "namespace": "default", "uid": UID},
    "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "w"}}},
    "inference": {"preset": {"name": "phi-4"}},
}
KEY = WorkspaceKey(namespace="default", name="w", uid=UID)


class Handle:
    """A workflow that answers the query with the state that it was given."""

    def __init__(self, state: WorkspaceState) -> None:
        self._state = state

    async def query(self, *_: Any, **__: Any) -> WorkspaceState:
        return self._state


class Temporal:
    """Finds one workflow, whatever its id."""

    def __init__(self, option: Option | None) -> None:
        self._state = WorkspaceState(key=KEY)
        if option:
            self._state.spec.decide(option)

    def get_workflow_handle(self, _: str) -> Handle:
        return Handle(self._state)


def client_of(option: Option | None = None) -> httpx.AsyncClient:
    app = FastAPI()
    add_plans(app, Temporal(option))  # type: ignore[arg-type]  # what is used of a client
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://admin")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of() as client:
        yield client


async def test_a_workspace_that_is_sent_is_planned(http: httpx.AsyncClient) -> None:
    plan = (await http.post("/plan", json=WORKSPACE)).raise_for_status().json()
    assert (plan["nodes"], plan["maxModelLen"], plan["pricePerHour"], plan["errors"]) == (1, 16384, 3.673, [])
    assert plan["memoryPerGpuGiB"]["weights"] == pytest.approx(27.6, abs=0.1)


async def test_a_plan_that_cannot_be_carried_out_is_an_answer(http: httpx.AsyncClient) -> None:
    resource = WORKSPACE["resource"] | {"instanceType": "Standard_NC24"}
    answer = await http.post("/plan", json=WORKSPACE | {"resource": resource})
    assert answer.status_code == 200
    assert [error["reason"] for error in answer.json()["errors"]] == ["InstanceTypeUnknown"]


async def test_a_training_is_planned(http: httpx.AsyncClient) -> None:
    tuning = {
        "preset": {"name": "phi-3-mini-128k-instruct"},
        "method": "qlora",
        "input": {"urls": ["https://data.example.com/rows.parquet"]},
        "output": {"image": "registry.example.com/adapters/a:1", "imagePushSecret": "push"},
    }
    sent = {key: value for key, value in WORKSPACE.items() if key != "inference"} | {"tuning": tuning}
    plan = (await http.post("/plan", json=sent)).raise_for_status().json()
    assert (plan["kind"], plan["method"], plan["errors"]) == ("tuning", "qlora", [])
    assert plan["trainingGiB"]["weights"] == pytest.approx(2.2, abs=0.1)


async def test_config_maps_come_in_a_list(http: httpx.AsyncClient) -> None:
    data = {"inference_config.yaml": "vllm: {max-model-len: 4096}"}
    config = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}
    workspace = WORKSPACE | {"inference": WORKSPACE["inference"] | {"config": "c"}}
    alone = (await http.post("/plan", json=workspace)).json()
    both = (await http.post("/plan", json={"kind": "List", "items": [workspace, config]})).json()
    assert (alone["maxModelLen"], both["maxModelLen"]) == (16384, 4096)
    assert [warning["reason"] for warning in alone["warnings"]] == ["ConfigNotRead"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 422, id="empty"),
        pytest.param(b"[" * 100_000, 422, id="deep"),
        pytest.param(b"[]", 422, id="no object"),
        pytest.param(b'{"kind": "Pod"}', 422, id="another kind"),
        pytest.param(b'{"kind": "List", "items": 3}', 422, id="no list"),
        pytest.param(b" " * (2 * 2**20 + 1), 413, id="too large"),
        pytest.param(b'{"kind": "Workspace"}', 200, id="a Workspace without anything"),
    ],
)
async def test_whatever_is_sent_is_answered(http: httpx.AsyncClient, body: bytes, status: int) -> None:
    assert (await http.post("/plan", content=body)).status_code == status


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(part=st.sampled_from(["metadata", "resource", "inference", "tuning"]), value=anything)
async def test_any_value_in_any_section_is_answered(http: httpx.AsyncClient, part: str, value: Any) -> None:
    answer = await http.post("/plan", json=WORKSPACE | {part: value})
    assert answer.status_code == 200
    assert isinstance(answer.json()["errors"], list)


async def test_the_recorded_plan_is_the_one_that_was_decided() -> None:
    option = plan_option(WORKSPACE, PlanContext(region="eastus", config_maps={}), Deadlines())
    async with client_of(option) as http:
        recorded = (await http.get("/workspaces/default/w/plan")).raise_for_status().json()
    assert recorded == option.report.wire()


async def test_before_there_is_a_plan_it_is_404(http: httpx.AsyncClient) -> None:
    answer = await http.get("/workspaces/default/w/plan")
    assert (answer.status_code, answer.json()["detail"]) == (404, "Workspace default/w has not been planned yet")
