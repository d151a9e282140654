"""Releases come from a server of the official layout, here one on loopback; what is not as published is refused."""

import functools
import hashlib
import http.server
import io
import platform
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.local.kubernetes import binaries, releases
from deploy.local.kubernetes.build import PROGRAMS
from deploy.local.kubernetes.releases import CONTROL_PLANE, ETCD, NODES, ReleaseUnavailable
from deploy.local.layout import Layout

ARCHITECTURE: Final = "amd64"
PACKED: Final = f"etcd-v{ETCD}-linux-{ARCHITECTURE}"


class Site(http.server.ThreadingHTTPServer):
    """A folder in the layout of the official places, and which of its paths were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, list[str]()
        site = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, format: str, *arguments: Any) -> None:
                site.asked.append(self.path)

        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def program(self, name: str) -> Path:
        version = NODES if name in releases.ON_NODES else CONTROL_PLANE
        return self.folder / f"v{version}" / "bin" / "linux" / ARCHITECTURE / name

    def publish(self) -> None:
        for name in PROGRAMS:
            path = self.program(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#!/bin/sh\necho Kubernetes v{CONTROL_PLANE}\n# {name}\n")
            path.with_name(f"{name}.sha256").write_text(_sum(path.read_bytes()))
        archive = self.folder / f"v{ETCD}" / f"{PACKED}.tar.gz"
        archive.parent.mkdir(parents=True)
        with tarfile.open(archive, "w:gz") as packed:
            for name in ("README.md", "etcd", "etcdctl"):
                member = tarfile.TarInfo(f"{PACKED}/{name}")
                member.size = len(name)
                packed.addfile(member, io.BytesIO(name.encode()))
        sums = {"another.zip": "0" * 64, archive.name: _sum(archive.read_bytes())}
        archive.with_name("SHA256SUMS").write_text("".join(f"{found}  {name}\n" for name, found in sums.items()))


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site(tmp_path / "site")
    site.publish()
    serving = threading.Thread(target=site.serve_forever)
    serving.start()
    monkeypatch.setenv(releases.KUBERNETES_VARIABLE, site.url)
    monkeypatch.setenv(releases.ETCD_VARIABLE, f"{site.url}/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv(binaries.ASSETS_VARIABLE, raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    releases.offered.cache_clear()
    yield site
    releases.offered.cache_clear()
    site.shutdown()
    serving.join()
    site.server_close()


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Layout.of("test")


def test_a_release_is_fetched_once_and_wins_over_a_build(site: Site, layout: Layout) -> None:
    told: list[str] = []
    found = binaries.ensure_binaries(layout, told.append)
    assert (found.minor, found.etcd.read_text()) == (int(CONTROL_PLANE.split(".")[1]), "etcd")
    assert told[0] == "fetching kube-apiserver, 1 of 6, from 127.0.0.1" and len(told) == 7
    assert sorted(path.name for path in found.folder.iterdir()) == sorted([*PROGRAMS, "etcd"])
    asked = len(site.asked)
    assert binaries.ensure_binaries(layout, told.append) == found and len(site.asked) == asked


@pytest.mark.parametrize("name", ["kubelet", "etcd"])
def test_what_has_another_sum_is_refused_and_the_rest_is_kept(site: Site, layout: Layout, name: str) -> None:
    path = site.program(name) if name != "etcd" else site.folder / f"v{ETCD}" / f"{PACKED}.tar.gz"
    good = path.read_bytes()
    path.write_bytes(good + b"more")
    with pytest.raises(ReleaseUnavailable, match=rf"{path.name} has the SHA-256 {_sum(good + b'more')}"):
        binaries.ensure_binaries(layout, lambda text: None)
    assert binaries.find_binaries(layout) is None
    path.write_bytes(good)
    site.asked.clear()
    binaries.ensure_binaries(layout, lambda text: None)
    assert not any(asked.endswith("/kube-apiserver") for asked in site.asked)


def test_what_lacks_is_named_with_what_to_do(site: Site, layout: Layout) -> None:
    site.program("kube-proxy").unlink()
    with pytest.raises(ReleaseUnavailable, match=r"kube-proxy cannot be fetched \(.*404.*run the command again"):
        binaries.ensure_binaries(layout, lambda text: None)


def test_a_place_that_was_named_must_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert releases.offered()
    releases.offered.cache_clear()
    monkeypatch.setenv(releases.KUBERNETES_VARIABLE, f"{site.url}/nowhere")
    with pytest.raises(ReleaseUnavailable, match=releases.KUBERNETES_VARIABLE):
        releases.offered()


def test_without_a_release_for_this_machine_nothing_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not releases.offered() and site.asked == []


def test_places_that_cannot_be_reached_leave_the_turn_to_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's proxy is one that nobody listens at."""
    for name in (releases.KUBERNETES_VARIABLE, releases.ETCD_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    releases.offered.cache_clear()
    assert not releases.offered()
    releases.offered.cache_clear()


@pytest.mark.parametrize("text", ["", "not found", "0" * 63, f"{'0' * 64}  other.tar.gz"])
def test_a_file_of_sums_without_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"have none of ours\.tar\.gz"):
        releases.sum_in(text, "ours.tar.gz")
