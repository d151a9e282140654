"""What an instance remembers of how it was brought up."""

from pathlib import Path

import pytest
import yaml

from deploy.local.cluster.older_kubernetes import MINIMUM_MINOR
from deploy.local.kubernetes.binaries import ASSETS_VARIABLE, PROGRAMS
from deploy.local.layout import LOOPBACK
from deploy.local.services.chart import CHART
from deploy.local.stack.choices import Choices, KubeconfigUnusable, OtherCluster, choose, forget, recall, remember


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "home"))


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    file = tmp_path / "kubeconfig"
    file.write_text("kind: Config")
    return file


def test_choices_are_kept_until_they_are_deleted(kubeconfig: Path) -> None:
    assert recall("test") is None
    for choices in (Choices(), Choices(pods=True), Choices(kubeconfig)):
        remember(choices.layout("test"), choices)
        assert recall("test") == choices
    forget(choices.layout("test"))
    assert recall("test") is None


def test_a_stack_on_an_existing_cluster_lives_on_loopback(kubeconfig: Path) -> None:
    assert Choices(kubeconfig).layout("test").address == LOOPBACK
    assert Choices().layout("test").address != LOOPBACK


def test_another_cluster_than_the_one_in_use_is_refused(kubeconfig: Path) -> None:
    remember(Choices().layout("test"), Choices())
    assert choose("test", None) == Choices()
    with pytest.raises(OtherCluster, match="modelyard local down --instance test"):
        choose("test", kubeconfig)


def test_a_stack_that_is_up_goes_on_as_it_began() -> None:
    for pods in (False, True):
        remember(Choices().layout("test"), Choices(pods=pods))
        assert choose("test", None).pods is pods


@pytest.mark.parametrize(("version", "pods"), [("v1.20.2", False), ("v1.29.14", False), ("v1.30.0", True)])
def test_modelyard_runs_as_pods_where_its_chart_can_be_installed(
    version: str, pods: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PROGRAMS:
        (tmp_path / name).write_text(f"#!/bin/sh\necho Kubernetes {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv(ASSETS_VARIABLE, str(tmp_path))
    assert choose("test", None).pods is pods


def test_an_existing_cluster_never_gets_the_chart(kubeconfig: Path) -> None:
    assert choose("test", kubeconfig).pods is False


def test_programs_that_are_missing_are_left_to_the_step_that_gets_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ASSETS_VARIABLE, str(tmp_path / "nothing"))
    assert choose("test", None).pods is True


def test_the_oldest_version_is_the_one_that_the_chart_names() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">=1.{MINIMUM_MINOR}.0-0"


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigUnusable, match="missing-file"):
        choose("test", tmp_path / "missing-file")
