"""Builds the Kubernetes programs from the distribution's source package, once per user and version.

Package registries carry no Kubernetes servers as binaries, but Debian's source package is complete. apt uses a private
configuration derived from the machine's own entries, so that this file names no host and the system's configuration
stays unchanged. The result is moved to the cache by one rename.
"""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.kubernetes import patches
from deploy.local.layout import Layout

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
TOOLS = {"go": "golang-go", "make": "make", "rsync": "rsync", "jq": "jq", "dpkg-source": "dpkg-dev", "gcc": "gcc"}
# Measured for 1.20.2: source tree, Go's build cache and the results together take 2.8 GB.
NEEDED_BYTES = 4 * 2**30
APT_S, UNPACK_S, MAKE_S = 300, 300, 3600
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CACHE_PREFIX = "kubernetes-"
# Part of the folder's name: raise it when the build changes, so that older builds are not reused.
RECIPE = "+r3"

Report = Callable[[str], None]


class BuildFailed(RuntimeError):
    """The build failed; the message names the step, the log and what to do."""


def newest_build(cache: Path) -> Path | None:
    """Returns the most recently finished folder of programs in the cache, or None."""
    folders = [
        path for path in cache.glob(f"{CACHE_PREFIX}*{RECIPE}") if all((path / name).is_file() for name in PROGRAMS)
    ]
    return max(folders, key=lambda path: path.stat().st_mtime, default=None)


def build(layout: Layout, report: Report) -> Path:
    """Returns the folder in the cache, built unless another process has just finished it. Raises BuildFailed."""
    layout.cache.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(layout.cache, report):
        done = newest_build(layout.cache)
        if done:
            return done
        _check_machine(layout.cache)
        work = layout.cache / ".kubernetes-build"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            return _Build(layout, work, report).run()
        finally:
            shutil.rmtree(work)


class _Build:
    """One build in its own work folder; the output of all its commands goes to one log."""

    def __init__(self, layout: Layout, work: Path, report: Report) -> None:
        self.cache, self.work, self.report = layout.cache, work, report
        self.log = layout.logs / "kubernetes-build.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text("")

    def run(self) -> Path:
        self.report(f"fetching the Kubernetes source package (log: {self.log})")
        source = self._fetch()
        version = source_version(source.name)
        self.report(f"unpacking Kubernetes {version}")
        # Kubernetes' makefiles require this path below GOPATH.
        tree = self.work / "go" / "src" / "k8s.io" / "kubernetes"
        tree.parent.mkdir(parents=True)
        self._command("unpack", ["dpkg-source", "--no-check", "-x", str(source), str(tree)], UNPACK_S)
        try:
            patches.apply_patches(tree / "vendor")
        except patches.PatchFailed as error:
            raise BuildFailed(f"Kubernetes {version} cannot be patched: {error}") from error
        self.report(f"building Kubernetes {version}: {', '.join(PROGRAMS)}")
        what = " ".join(f"cmd/{name}" for name in PROGRAMS)
        # Plain `go build` fails: `make` generates code (OpenAPI) first.
        self._command("make", ["make", f"WHAT={what}"], MAKE_S, cwd=tree, env=self._go_environment())
        return self._publish(tree, version)

    def _fetch(self) -> Path:
        apt, target = self.work / "apt", self.work / "source"
        (apt / "lists" / "partial").mkdir(parents=True)
        target.mkdir()
        entries = source_entries(_index_targets(), KEYRING if KEYRING.exists() else None)
        if not entries:
            raise BuildFailed(
                "apt knows no Debian archive to take the Kubernetes source from: run `apt-get update` first"
            )
        (apt / "sources.list").write_text("\n".join(entries) + "\n")
        options = [
            f"-oDir::Etc::SourceList={apt / 'sources.list'}",
            "-oDir::Etc::SourceParts=/dev/null",
            f"-oDir::State::Lists={apt / 'lists'}",
            # The work folder is below a home that apt's own user may not enter.
            "-oAPT::Sandbox::User=root",
        ]
        self._command("apt-get update", ["apt-get", *options, "update"], APT_S)
        self._command(
            "apt-get source", ["apt-get", *options, "source", "--download-only", "kubernetes"], APT_S, cwd=target
        )
        return next(target.glob("kubernetes_*.dsc"))

    def _go_environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self.work / "home"),
            "GOPATH": str(self.work / "go"),
            "GOCACHE": str(self.work / "home" / "go-build"),
            "CGO_ENABLED": "0",
            "GO111MODULE": "off",
        }

    def _publish(self, tree: Path, version: str) -> Path:
        partial = self.work / "result"
        partial.mkdir()
        for name in PROGRAMS:
            built = next((tree / "_output" / "local" / "bin").glob(f"*/*/{name}"), None)
            if built is None:
                raise BuildFailed(f"make succeeded but did not build {name}; log: {self.log}")
            shutil.copy2(built, partial / name)
            subprocess.run([partial / name, "--version"], check=True, capture_output=True, timeout=30)
        final = self.cache / f"{CACHE_PREFIX}{version}{RECIPE}"
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        self.report(f"Kubernetes {version} is in {final}")
        return final

    def _command(
        self, step: str, argv: Sequence[str], limit_s: int, cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> None:
        with self.log.open("ab") as log:
            log.write(f"\n== {step}: {' '.join(argv)}\n".encode())
            log.flush()
            try:
                subprocess.run(argv, cwd=cwd or self.work, env=env, stdout=log, stderr=log, timeout=limit_s, check=True)
            except (OSError, subprocess.SubprocessError) as error:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
                raise BuildFailed(f"building Kubernetes failed at {step}: {error}; log: {self.log}\n{tail}") from error


def source_version(dsc: str) -> str:
    """Returns the package's version from the name of its source description, `kubernetes_VERSION.dsc`."""
    match = re.fullmatch(r"kubernetes_(.+)\.dsc", dsc)
    if match is None:
        raise BuildFailed(f"unexpected name of a source package: {dsc!r}")
    return match.group(1)


def source_entries(index_targets: str, keyring: Path | None) -> list[str]:
    """Returns deb-src lines for the Debian archives among apt's index targets (lines of ORIGIN|REPO_URI|RELEASE)."""
    option = f"[signed-by={keyring}] " if keyring else ""
    targets = [line.split("|") for line in index_targets.splitlines() if line.startswith("Debian|")]
    return [f"deb-src {option}{uri} {release} main" for _, uri, release in dict.fromkeys(map(tuple, targets))]


def _index_targets() -> str:
    argv = ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)", "Created-By: Packages"]
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildFailed(f"cannot ask apt for the machine's package sources: {error}") from error


def _check_machine(cache: Path) -> None:
    missing = sorted(package for tool, package in TOOLS.items() if shutil.which(tool) is None)
    missing += [] if patches.REFLECT_SOURCE.is_dir() else [patches.REFLECT_PACKAGE]
    if missing:
        raise BuildFailed(f"building Kubernetes needs {', '.join(missing)}: apt-get install {' '.join(missing)}")
    free = shutil.disk_usage(cache).free
    if free < NEEDED_BYTES:
        raise BuildFailed(
            f"building Kubernetes needs {NEEDED_BYTES / 2**30:.0f} GiB in {cache}, {free / 2**30:.1f} GiB are free: "
            "free some or set XDG_CACHE_HOME to a folder on a larger disk"
        )


@contextmanager
def one_at_a_time(cache: Path, report: Report) -> Iterator[None]:
    """Holds the lock of those who get the programs, and waits for whoever has it."""
    with (cache / ".kubernetes-build.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another process that gets Kubernetes' programs")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
