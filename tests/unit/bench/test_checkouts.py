"""Processes of another commit run on its own sources, and are started as its own tables say."""

import os
from pathlib import Path

import pytest

from deploy.local.layout import Layout
from deploy.local.services.modelyard import PROGRAMS
from testing.checkouts import HERE, OURS, ROOT, CheckoutFailed, checked_out, programs_of, sources_of

needs_history = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone: there are no commits")


def test_a_dot_is_this_checkout_as_it_is() -> None:
    with checked_out(HERE) as checkout:
        assert checkout == OURS


def test_a_commit_that_is_not_there_is_refused() -> None:
    with pytest.raises(CheckoutFailed, match="no-such-commit"), checked_out("no-such-commit"):
        pass


@needs_history
def test_a_commit_has_a_folder_that_goes_away() -> None:
    with checked_out("HEAD") as checkout:
        assert (checkout.root / "watcher" / "__main__.py").exists()
        assert checkout.root != ROOT
    assert not checkout.root.exists()


@needs_history
def test_its_programs_are_described_by_its_own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    layout = Layout.of("bench")
    with checked_out("HEAD") as checkout:
        programs = programs_of(checkout, layout)
        assert [daemon.name for daemon in programs.daemons] == [program.name for program in PROGRAMS]
        assert programs.identities == tuple(program.identity for program in PROGRAMS)
        for daemon in programs.daemons:
            assert daemon.env["PYTHONPATH"] == str(checkout.root)
            assert daemon.env["MODELYARD_KUBECONFIG"].startswith(str(tmp_path))


def test_modules_from_elsewhere_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without sources: the interpreter would silently take those of its own environment."""
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    empty = OURS.__class__("empty", tmp_path / "empty")
    with pytest.raises(CheckoutFailed, match=r"modules come from|No module named"):
        programs_of(empty, Layout.of("bench"))


def test_the_folder_in_which_it_is_started_does_not_matter() -> None:
    assert sources_of(OURS) == {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    assert os.pathsep not in str(ROOT)
