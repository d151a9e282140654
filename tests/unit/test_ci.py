"""What CI runs is `make test`, with the packed Kubernetes beside the checkout where there is one, else without.

The script runs as it is, in a folder laid out as a checkout is; `make` there writes down how it was called.
"""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from testing.deadlines import PATIENCE_S

SCRIPT: Final = Path(__file__).parents[2] / ".ci" / "run"
SUMS: Final = "0123  kube-apiserver\n"
DEADLINE_S: Final = PATIENCE_S
LAYS_OUT: Final = '#!/bin/sh\nmkdir -p "$1" && echo laid out > "$1/kube-apiserver"\n'


@dataclass(frozen=True)
class Place:
    """A folder with a checkout, what may lie packed beside it, and a cache."""

    folder: Path

    def pack(self, unpack: str = LAYS_OUT, sums: str | None = SUMS) -> None:
        packed = self.folder / "shared" / "kubernetes"
        packed.mkdir(parents=True)
        executable(packed / "unpack", unpack)
        if sums is not None:
            (packed / "SHA256SUMS").write_text(sums)

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "HOME": str(self.folder / "home")}
        argv = [str(self.folder / "checkout" / ".ci" / "run")]
        return subprocess.run(
            argv, cwd="/", env=own | variables, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )

    def called(self) -> str:
        """The arguments of `make`, its folder and the programs that it was given."""
        return (self.folder / "made").read_text().strip()

    def calls(self, assets: object = "") -> str:
        return f"test in {self.folder / 'checkout'} with {assets}".strip()


def executable(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def given(sums: str) -> str:
    return f"modelyard/kubernetes/given-{hashlib.sha256(sums.encode()).hexdigest()[:16]}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    executable(tmp_path / "checkout" / ".ci" / "run", SCRIPT.read_text())
    executable(
        tmp_path / "bin" / "make",
        f'#!/bin/sh\necho "$* in $PWD with $KUBEBUILDER_ASSETS" > {tmp_path}/made\nexit $RC\n',
    )
    return Place(tmp_path)


def test_packed_programs_are_laid_out_once_per_content(place: Place, tmp_path: Path) -> None:
    place.pack()
    for sums in (SUMS, "4567  kube-apiserver\n"):
        (tmp_path / "shared" / "kubernetes" / "SHA256SUMS").write_text(sums)
        assert place.run(XDG_CACHE_HOME=str(tmp_path / "cache")).returncode == 0
        assets = tmp_path / "cache" / given(sums)
        assert place.called() == place.calls(assets)
        assert (assets / "kube-apiserver").read_text() == "laid out\n"


def test_without_a_cache_of_its_own_they_are_in_the_users(place: Place, tmp_path: Path) -> None:
    place.pack()
    assert place.run().returncode == 0
    assert place.called() == place.calls(tmp_path / "home" / ".cache" / given(SUMS))


def test_programs_that_somebody_names_are_taken(place: Place, tmp_path: Path) -> None:
    place.pack(unpack=f"#!/bin/sh\ntouch {tmp_path}/unpacked\n")
    assert place.run(KUBEBUILDER_ASSETS="/opt/kubernetes").returncode == 0
    assert place.called() == place.calls("/opt/kubernetes")
    assert not (tmp_path / "unpacked").exists()


def test_where_nothing_is_packed_the_tests_run_all_the_same(place: Place) -> None:
    done = place.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert place.called() == place.calls()


@pytest.mark.parametrize(
    ("unpack", "sums", "says"), [("#!/bin/sh\nexit 1\n", SUMS, "could not be laid out"), (LAYS_OUT, None, "")]
)
def test_a_damaged_pack_does_not_stop_the_tests(place: Place, unpack: str, sums: str | None, says: str) -> None:
    place.pack(unpack, sums)
    done = place.run()
    assert done.returncode == 0
    assert says in done.stderr
    assert place.called() == place.calls()


def test_it_fails_as_the_tests_do(place: Place) -> None:
    assert place.run(RC="2").returncode == 2
