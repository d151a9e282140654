"""What an instance remembers of how it was brought up."""

from pathlib import Path

import pytest

from deploy.local.layout import LOOPBACK
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
    for choices in (Choices(), Choices(kubeconfig)):
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


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigUnusable, match="missing-file"):
        choose("test", tmp_path / "missing-file")
