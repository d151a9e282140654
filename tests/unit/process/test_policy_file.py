"""The mounted policy: an edit is taken, one that cannot be read changes nothing and is told, and refuses the start."""

import os
from pathlib import Path

import pytest

from process.exit import CannotStart
from process.policy import INVALID, READ, PolicyFile


def refused() -> float:
    return READ.labels("refused")._value.get()  # type: ignore[no-any-return]


def mount(folder: Path, text: str, version: str) -> Path:
    """As the kubelet does: a new folder, and a link that is moved over the old one."""
    (folder / version).mkdir()
    (folder / version / "policy.yaml").write_text(text)
    (folder / "new").symlink_to(version)
    os.replace(folder / "new", folder / "..data")
    file = folder / "policy.yaml"
    if not file.is_symlink():
        file.symlink_to("..data/policy.yaml")
    return file


def test_without_a_file_the_defaults_hold() -> None:
    assert PolicyFile(None)().rules_of("a").nodes == 8


def test_an_edit_of_the_config_map_is_taken(tmp_path: Path) -> None:
    policy = PolicyFile(mount(tmp_path, "defaults: {nodes: 1}", "v1"), look_s=0)
    assert policy().rules_of("a").nodes == 1
    mount(tmp_path, "defaults: {nodes: 2}", "v2")
    assert policy().rules_of("a").nodes == 2


def test_an_edit_that_cannot_be_read_keeps_the_last_one_and_says_where(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy, before = PolicyFile(mount(tmp_path, "defaults: {nodes: 1}", "v1"), look_s=0), refused()
    mount(tmp_path, "defaults: {nodez: 99}", "v2")
    assert policy().rules_of("a").nodes == policy().rules_of("a").nodes == 1
    assert "defaults.nodez" in caplog.text and caplog.text.count("ERROR") == 1
    assert (INVALID._value.get(), refused() - before) == (1, 1)
    mount(tmp_path, "defaults: {nodes: 3}", "v3")
    assert (policy().rules_of("a").nodes, INVALID._value.get()) == (3, 0)


def test_a_file_that_is_gone_keeps_the_last_one(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("defaults: {nodes: 1}")
    policy = PolicyFile(file, look_s=0)
    file.unlink()
    assert policy().rules_of("a").nodes == 1


@pytest.mark.parametrize("text", ["defaults: {nodes: many}", "\x00", "a: ["])
def test_one_that_cannot_be_read_refuses_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(CannotStart, match=r"policy\.yaml cannot be used"):
        PolicyFile(file)
    with pytest.raises(CannotStart, match="No such file"):
        PolicyFile(tmp_path / "none")
