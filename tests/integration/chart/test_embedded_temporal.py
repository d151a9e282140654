"""The embedded Temporal's command line starts a server: ready at its probe, with Workspaces' search attributes."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.host import daemons
from deploy.local.host.daemons import Daemon
from deploy.local.host.probes import once_answers
from deploy.local.layout import Layout
from deploy.local.services.temporal import SEARCH_ATTRIBUTES, STOP_S, temporal_program
from testing.deadlines import PATIENCE_S
from testing.helm_client import Helm, Object, named
from testing.ports import free_port


@pytest.fixture
def container(helm: Helm) -> Object:
    pod = named(helm.rendered("embedded-temporal"), "StatefulSet", "modelyard-temporal")["spec"]["template"]["spec"]
    [found] = pod["containers"]
    return dict(found)


@pytest.fixture
def ports() -> dict[str, str]:
    """Free ones, by the pod's."""
    return {port: str(free_port()) for port in ("7233", "8233")}


@pytest.fixture
def url(container: Object, ports: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the server answers. Only ports, address and the volume's place are this machine's."""
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "state"))
    layout = Layout.of("test", with_nodes=False)
    here = ports | {"0.0.0.0": "127.0.0.1", "/data/temporal.db": str(tmp_path / "temporal.db")}
    argv = [temporal_program(), *(here.get(argument, argument) for argument in container["args"])]
    env = {each["name"]: each["value"] for each in container["env"]} | {"HOME": str(tmp_path)}
    found = f"http://127.0.0.1:{ports['8233']}"
    ready = once_answers(found + container["readinessProbe"]["httpGet"]["path"])
    daemon = Daemon(name="embedded-temporal", argv=tuple(argv), env=env, ready=ready, deadline_s=PATIENCE_S)
    daemons.start(layout, daemon)
    yield found
    daemons.stop(layout, "embedded-temporal", STOP_S)


def test_its_image_says_where_the_program_is(container: Object) -> None:
    """Temporal's image has it at the root and no PATH: a name of ours would not be found."""
    assert "command" not in container
    assert container["args"][:2] == ["server", "start-dev"]


def test_its_user_has_a_name(container: Object) -> None:
    """The image knows no user of the pod's number, and the program, which has no C library to ask, does not start
    without a name."""
    given = {each["name"]: each["value"] for each in container["env"]}
    assert given["USER"] and given["HOME"]


def test_it_is_ready_and_knows_the_search_attributes(url: str) -> None:
    address = f"{url}/api/v1/namespaces/default/search-attributes"
    answer = httpx.get(address, trust_env=False, timeout=PATIENCE_S).json()
    assert {each.name for each in SEARCH_ATTRIBUTES} <= set(answer["customAttributes"])
