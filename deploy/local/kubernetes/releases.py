"""Fetches the official releases of Kubernetes and etcd into the cache; checks each file by the sum published beside it.

Tried before anything is built (`build.py`); MODELYARD_KUBERNETES_URL and MODELYARD_ETCD_URL name mirrors of the same
layout. Files that are complete are kept, so that a fetch that broke off goes on where it was.
"""

import hashlib
import os
import platform
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import httpx

from deploy.local.kubernetes.build import PROGRAMS, one_at_a_time

CONTROL_PLANE: Final = "1.37.2"
NODES: Final = "1.34.4"
"""Three minors below, which the API server allows; later kubelets want more than containerd 1.6 and cgroup v1."""
ETCD: Final = "3.6.16"
ON_NODES: Final = ("kubelet", "kube-proxy")
KUBERNETES_VARIABLE: Final = "MODELYARD_KUBERNETES_URL"
ETCD_VARIABLE: Final = "MODELYARD_ETCD_URL"
KUBERNETES_URL: Final = "https://dl.k8s.io/release"
ETCD_URL: Final = "https://github.com/etcd-io/etcd/releases/download"
ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
# A place that cannot be reached must not delay the build that takes its turn; a file of 100 MB may come slowly.
ASK_S: Final = 5.0
READ_S: Final = 60.0
ATTEMPTS: Final = 3

Report = Callable[[str], None]


class ReleaseUnavailable(RuntimeError):
    """A release was named or begun and cannot be fetched, or is not what its sum says; the message says what to do."""


@dataclass(frozen=True)
class _File:
    """A program to fetch. `listed` is its name in a file of sums; empty if that has one sum only."""

    program: str
    url: str
    sums: str
    listed: str = ""


def released(cache: Path) -> Path | None:
    """Returns the folder of the fetched release, if it is complete."""
    folder = _folder(cache)
    return folder if folder.is_dir() else None


@lru_cache
def offered() -> bool:
    """Returns whether the releases can be reached from here. Raises ReleaseUnavailable if they cannot, but a variable
    names their place."""
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return False
    first = _files(architecture)[0]
    try:
        with _client(ASK_S) as client:
            client.get(first.sums).raise_for_status()
    except httpx.HTTPError as error:
        named = [name for name in (KUBERNETES_VARIABLE, ETCD_VARIABLE) if os.environ.get(name)]
        if named:
            raise ReleaseUnavailable(
                f"{first.sums} cannot be fetched ({_said(error)}): correct {' and '.join(named)}, or unset to build"
            ) from error
        return False
    return True


def fetch(cache: Path, report: Report) -> Path:
    """Returns the folder of the release, fetched unless it is there. Raises ReleaseUnavailable."""
    cache.mkdir(parents=True, exist_ok=True)
    final = _folder(cache)
    with one_at_a_time(cache, report):
        if released(cache):
            return final
        partial = final.with_suffix(".partial")
        partial.mkdir(exist_ok=True)
        files = _files(ARCHITECTURES[platform.machine()])
        with _client(READ_S) as client:
            for number, file in enumerate(files, start=1):
                report(f"fetching {file.program}, {number} of {len(files)}, from {httpx.URL(file.url).host}")
                _ensure(client, file, partial / file.program)
        partial.rename(final)
    report(f"Kubernetes {CONTROL_PLANE} is in {final}")
    return final


def _folder(cache: Path) -> Path:
    return cache / f"kubernetes-release-{CONTROL_PLANE}-{NODES}-{ETCD}"


def _files(architecture: str) -> list[_File]:
    kubernetes = os.environ.get(KUBERNETES_VARIABLE) or KUBERNETES_URL
    etcd = os.environ.get(ETCD_VARIABLE) or ETCD_URL
    files = []
    for program in PROGRAMS:
        version = NODES if program in ON_NODES else CONTROL_PLANE
        url = f"{kubernetes.rstrip('/')}/v{version}/bin/linux/{architecture}/{program}"
        files.append(_File(program, url, f"{url}.sha256"))
    packed = f"etcd-v{ETCD}-linux-{architecture}.tar.gz"
    base = f"{etcd.rstrip('/')}/v{ETCD}"
    return [*files, _File("etcd", f"{base}/{packed}", f"{base}/SHA256SUMS", packed)]


def _client(timeout_s: float) -> httpx.Client:
    return httpx.Client(timeout=httpx.Timeout(timeout_s, connect=ASK_S), follow_redirects=True)


def _ensure(client: httpx.Client, file: _File, program: Path) -> None:
    """Fetches the program unless it is there, which only checked ones are."""
    if program.exists():
        return
    came = program.with_suffix(".came")
    try:
        wanted = sum_in(client.get(file.sums).raise_for_status().text, file.listed)
        _download(client, file.url, came)
    except (httpx.HTTPError, ValueError) as error:
        fix = f"run the command again, which goes on here, or set {KUBERNETES_VARIABLE} and {ETCD_VARIABLE} to mirrors"
        raise ReleaseUnavailable(f"{file.url} cannot be fetched ({_said(error)}): {fix}") from error
    with came.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != wanted:
        came.unlink()
        raise ReleaseUnavailable(
            f"{file.url} has the SHA-256 {found}, its release says {wanted}: it was cut short or altered on its way; "
            "run the command again, and if it says the same, ask who runs the proxy or mirror"
        )
    if file.listed:
        _unpack(came, file.listed.removesuffix(".tar.gz") + f"/{file.program}")
    came.chmod(0o755)
    came.rename(program)


def _download(client: httpx.Client, url: str, target: Path) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with client.stream("GET", url) as response, target.open("wb") as stream:
                response.raise_for_status()
                for part in response.iter_bytes():
                    stream.write(part)
            return
        except httpx.TransportError:
            if attempt == ATTEMPTS:
                raise


def _unpack(archive: Path, member: str) -> None:
    """Replaces an archive by one of its files. Raises KeyError if it lacks that."""
    with tarfile.open(archive) as packed:
        stream = packed.extractfile(member)
        assert stream is not None, f"{member} is no file"
        text = stream.read()
    archive.write_bytes(text)


def sum_in(text: str, listed: str) -> str:
    """Returns the SHA-256 of a file: the first of `text`, or that on the line of the name `listed`. Raises ValueError
    if there is none."""
    for line in text.splitlines():
        digest, _, name = line.strip().partition(" ")
        if listed in ("", name.strip().lstrip("*")) and len(digest) == hashlib.sha256().digest_size * 2:
            return digest
    raise ValueError(f"the sums have none of {listed or 'it'}: {text[:80]!r}")


def _said(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
