"""The control plane's image, really built: its programs run as its user on a read-only root, and it holds no tools."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.images.contents import CONTROL_PLANE
from deploy.local.images.sbom import SBOM
from deploy.local.layout import Layout
from testing.deadlines import PATIENCE_S
from testing.image_processes import OpenImage, opened
from testing.ports import free_port

LARGEST_BYTES = 75_000_000
"""Compressed. It is 63 MB; what makes it larger should be noticed."""
NOWHERE = "127.0.0.1:1"
TOOLS = ("bin/sh", "bin/bash", "usr/bin/gcc", "usr/bin/apt", "opt/modelyard/bin/pip", "opt/modelyard/bin/pytest")


@pytest.fixture(scope="module")
def image() -> Iterator[OpenImage]:
    with opened(Layout.of("test"), CONTROL_PLANE) as found:
        yield found


def test_the_command_runs_and_says_what_it_cannot_do_here(image: OpenImage) -> None:
    helped = image.run("modelyard", "--help")
    assert helped.returncode == 0, helped.stderr
    assert all(command in helped.stdout for command in ("plan", "validate", "status", "sweep"))
    refused = image.run("modelyard", "local", "status")
    assert (refused.returncode, "needs a checkout" in refused.stderr) == (2, True)


def test_data_files_are_there(image: OpenImage) -> None:
    file = image.root / "opt" / "modelyard" / "app" / "deploy" / "crds" / "kaito.sh_workspaces.yaml"
    assert file.read_text() == Path("deploy/crds/kaito.sh_workspaces.yaml").read_text()
    listed = image.run("python", "-c", "from presets.models.catalog import all_models; print(len(all_models()))")
    assert listed.returncode == 0, listed.stderr


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("python", "-m", "watcher"), NOWHERE),
        (("python", "-m", "worker", "--queues", "workspaces,waits,releases"), NOWHERE),
        (("python", "-m", "worker", "--queues", "cloud"), NOWHERE),
        (("python", "-m", "admin.webhook"), "Service host/port is not set"),
    ],
    ids=["watcher", "worker-cluster", "worker-cloud", "webhook"],
)
def test_a_process_gets_as_far_as_what_it_is_not_given(image: OpenImage, argv: tuple[str, ...], says: str) -> None:
    ended = image.run(*argv, MODELYARD_TEMPORAL_ADDRESS=NOWHERE)
    assert ended.returncode != 0
    assert says in ended.stderr
    assert not any(word in ended.stderr for word in ("ModuleNotFoundError", "Read-only file system", "Permission"))


def test_the_admin_service_answers(image: OpenImage) -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "MODELYARD_ADMIN_ADDRESS": address,
        "MODELYARD_ADMIN_AUTHENTICATION": "none",
        "MODELYARD_TEMPORAL_ADDRESS": NOWHERE,
    }
    with image.running("python", "-m", "admin", **settings) as process:
        ends = time.monotonic() + PATIENCE_S
        while process.poll() is None and time.monotonic() < ends:
            try:
                assert httpx.get(f"http://{address}/healthz", trust_env=False).status_code == 200
                return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"the service did not answer; it ended with {process.poll()}")


def test_it_runs_as_a_number_that_may_write_nothing(image: OpenImage) -> None:
    assert image.config["User"] == "65532:65532"
    tried = image.run(
        "python",
        "-c",
        "import os, pathlib\nprint(os.getuid(), os.getgid())\npathlib.Path('/opt/modelyard/app/x').touch()",
    )
    assert tried.stdout.split() == ["65532", "65532"]
    assert "Read-only file system" in tried.stderr


def test_it_holds_no_tools_and_all_of_our_bytecode(image: OpenImage) -> None:
    assert [tool for tool in TOOLS if (image.root / tool).exists()] == []
    app = image.root / "opt" / "modelyard" / "app"
    sources = sorted(app.rglob("*.py"))
    assert len(sources) > 200
    assert [file for file in sources if not list((file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"))] == []
    assert not (app / "deploy" / "local" / "stack").exists()


def test_its_size_and_its_bill_of_materials(image: OpenImage) -> None:
    assert image.size < LARGEST_BYTES
    bill = json.loads((image.layout / SBOM).read_text())
    purls = [component["purl"].partition("@")[0] for component in bill["components"]]
    assert {"pkg:pypi/temporalio", "pkg:pypi/kubernetes", "pkg:deb/debian/libc6"} <= set(purls)
    assert not {"pkg:pypi/pytest", "pkg:pypi/pip", "pkg:deb/debian/apt"} & set(purls)
