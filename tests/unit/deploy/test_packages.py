"""Which programs are missing, and what is said where no apt-get can install them."""

from pathlib import Path

import pytest

from deploy.local.stack import packages
from deploy.local.stack.packages import Package, PackagesMissing, ensure_packages, missing

SHELL = Package("dash", "sh")
ABSENT = Package("no-such-package", "no-such-program-anywhere")
ABSENT_FILE = Package("no-such-plugins", "/usr/lib/no-such-plugin")


def test_only_what_is_not_there_is_missing() -> None:
    assert missing([SHELL, ABSENT, ABSENT_FILE, Package("base-files", "/etc/os-release")]) == [ABSENT, ABSENT_FILE]


def test_nothing_is_run_when_nothing_is_missing(tmp_path: Path) -> None:
    ensure_packages([SHELL], tmp_path / "log", lambda text: None)
    assert not (tmp_path / "log").exists()


def test_without_apt_get_the_programs_to_install_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackagesMissing, match="no-such-program-anywhere") as problem:
        ensure_packages([ABSENT], tmp_path / "log", lambda text: None)
    assert "no-such-package" in str(problem.value)


def test_services_are_kept_from_starting_only_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "POLICY", policy := tmp_path / "policy-rc.d")
    with packages.services_kept_from_starting():
        assert "exit 101" in policy.read_text()
    assert not policy.exists()


def test_a_policy_that_is_there_already_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "POLICY", policy := tmp_path / "policy-rc.d")
    policy.write_text("mine")
    with packages.services_kept_from_starting():
        assert policy.read_text() == "mine"
    assert policy.read_text() == "mine"
