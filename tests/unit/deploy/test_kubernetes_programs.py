from pathlib import Path

import pytest

from deploy.local.kubernetes import binaries, build

TARGETS = """\
Debian|http://mirror.example/debian/|bookworm
Debian|http://mirror.example/debian/|bookworm
Debian|http://mirror.example/debian-security/|bookworm-security
Elsewhere|https://other.example/node|nodistro
"""


def programs(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in (*build.PROGRAMS, "etcd"):
        (folder / name).write_text("#!/bin/sh\necho Kubernetes v1.31.4\n")
        (folder / name).chmod(0o755)
    return folder


def test_source_entries_follow_the_machines_own_debian_archives() -> None:
    assert build.source_entries(TARGETS, Path("/keys.gpg")) == [
        "deb-src [signed-by=/keys.gpg] http://mirror.example/debian/ bookworm main",
        "deb-src [signed-by=/keys.gpg] http://mirror.example/debian-security/ bookworm-security main",
    ]
    assert build.source_entries("Elsewhere|https://other.example|x\n", None) == []


def test_the_cache_is_keyed_by_the_packages_version() -> None:
    assert build.source_version("kubernetes_1.20.5+really1.20.2-1.1.dsc") == "1.20.5+really1.20.2-1.1"
    with pytest.raises(build.BuildFailed, match=r"etcd_3\.dsc"):
        build.source_version("etcd_3.dsc")


def test_an_incomplete_build_in_the_cache_is_not_used(tmp_path: Path) -> None:
    assert build.newest_build(tmp_path) is None
    complete = programs(tmp_path / f"kubernetes-1.31.4{build.RECIPE}")
    programs(tmp_path / f"kubernetes-1.32.0{build.RECIPE}").joinpath("kubelet").unlink()
    assert build.newest_build(tmp_path) == complete


def test_a_folder_of_the_users_own_wins_and_must_be_complete(tmp_path: Path) -> None:
    folder = programs(tmp_path / "assets")
    variable = binaries.ASSETS_VARIABLE
    assert binaries.assets_folder({variable: str(folder)}) == folder
    assert binaries.assets_folder({}) is None
    (folder / "kube-proxy").unlink()
    with pytest.raises(binaries.BinariesMissing, match="lacks kube-proxy"):
        binaries.assets_folder({variable: str(folder)})


def test_a_folder_is_described_by_its_own_etcd_and_version(tmp_path: Path) -> None:
    found = binaries.described(programs(tmp_path / "assets"))
    assert (found.minor, found.etcd) == (31, tmp_path / "assets" / "etcd")


def test_a_program_that_does_not_run_is_named(tmp_path: Path) -> None:
    folder = programs(tmp_path / "assets")
    (folder / "kube-apiserver").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(binaries.BinariesMissing, match=r"kube-apiserver does not run"):
        binaries.described(folder)


@pytest.mark.parametrize(("text", "minor"), [("Kubernetes v1.20.2", 20), ("Kubernetes v1.34.0-rc.1", 34)])
def test_the_minor_version_is_read_from_the_programs_output(text: str, minor: int) -> None:
    assert binaries.minor_version(text) == minor
