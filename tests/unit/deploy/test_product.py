"""The settings each of Modelyard's processes gets, and who gets a cloud credential."""

import importlib.util
import json
from pathlib import Path

import pytest

from deploy.local.images import images
from deploy.local.images.contents import IMAGES
from deploy.local.layout import Layout
from deploy.local.services.modelyard import PROGRAMS, WEBHOOK, settings, token_file

KUBECONFIG = Path("/kubeconfigs/someone")


@pytest.fixture
def layout(with_torch: Layout) -> Layout:
    return with_torch


def test_only_the_worker_with_cloud_rights_gets_a_cloud_credential(layout: Layout) -> None:
    with_credential = [
        program.name for program in PROGRAMS if "MODELYARD_AZURE_CREDENTIAL" in settings(layout, program, KUBECONFIG)
    ]
    assert with_credential == ["worker-cloud"]


def test_every_process_has_its_own_identity_and_port() -> None:
    assert len({program.identity for program in PROGRAMS}) == len({program.port for program in PROGRAMS}) == 4


def test_the_credential_is_named_and_not_carried_in_the_environment(layout: Layout) -> None:
    cloud = next(program for program in PROGRAMS if program.cloud)
    secret = token_file(layout).read_text()
    assert len(secret) >= 32
    assert secret not in str(settings(layout, cloud, KUBECONFIG))
    assert token_file(layout).stat().st_mode & 0o077 == 0
    assert token_file(layout).read_text() == secret


def test_the_stacks_own_addresses_are_asked_without_a_proxy(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "internal.example")
    found = settings(layout, PROGRAMS[0], KUBECONFIG)["NO_PROXY"].split(",")
    assert {"internal.example", layout.address, "localhost"} <= set(found)


def test_every_program_can_be_run() -> None:
    for program in PROGRAMS:
        found = importlib.util.find_spec(program.module)
        assert found is not None
        if found.submodule_search_locations is not None:
            assert importlib.util.find_spec(f"{program.module}.__main__") is not None


def test_admission_and_the_worker_agree_on_hosts_that_data_may_come_from(layout: Layout) -> None:
    worker = next(program for program in PROGRAMS if program.name == "worker-cluster")
    found = [settings(layout, program, KUBECONFIG)["MODELYARD_ALLOWED_HOSTS"] for program in (worker, WEBHOOK)]
    assert [json.loads(hosts) for hosts in found] == [[layout.address]] * 2


def test_every_image_of_pods_is_the_one_made_of_these_sources(layout: Layout) -> None:
    worker = next(program for program in PROGRAMS if program.name == "worker-cluster")
    found = settings(layout, worker, KUBECONFIG)
    for image in IMAGES:
        assert found[f"MODELYARD_{image.target.upper()}_IMAGE"] == images.reference(layout, image)
