"""What an image is named by, and what the machine gives to its build."""

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.images import images, rootfs
from deploy.local.images.bases import BASE_DIGEST, BASE_NAME, Base, Bases, name_base
from deploy.local.images.build import CONTAINERFILE, Wanted, build_options
from deploy.local.images.buildah import BuildContext
from deploy.local.images.containerfile import stages_of
from deploy.local.images.contents import (
    CONTROL_PLANE,
    DEVICE_PLUGIN,
    FETCH,
    IMAGES,
    RUNTIME,
    TUNE,
    Image,
    images_for,
    on_device,
)
from deploy.local.images.images import tag_of
from deploy.local.images.push import PushFailed, blob, manifest_of
from deploy.local.images.rootfs import BASE_VARIABLE, sources_of
from deploy.local.images.runtime_env import LARGE_GIB, RuntimeUnavailable, check_disk, check_python
from deploy.local.images.torch_build import CONFIGURED, CPU, CUDA, INDEX, Torch, for_gpus, pins_file
from deploy.local.images.wheels import FETCHING, SERVING, Pins, download_command
from deploy.local.layout import REPOSITORY, Layout

APT_TARGETS = """Debian|http://mirror.example/debian/|bookworm|main
Debian|http://mirror.example/debian/|bookworm-updates|main
Debian|http://mirror.example/debian/|trixie|main
Elsewhere|http://other.example/|bookworm|main"""
TORCH = Torch(CPU, CONFIGURED)
BASES = Bases(Base("base", "sha256:aa"), Base("small", "sha256:bb"))
ALL = (CONTROL_PLANE, *IMAGES, DEVICE_PLUGIN)


def test_the_tag_is_the_same_until_something_in_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BASE_VARIABLE, raising=False)
    before = tag_of(RUNTIME, TORCH)
    assert tag_of(RUNTIME, TORCH) == before
    assert tag_of(FETCH, None) != before
    assert tag_of(RUNTIME, Torch(INDEX, CONFIGURED)) != before
    monkeypatch.setenv(BASE_VARIABLE, "python:3.11-slim")
    assert tag_of(RUNTIME, TORCH) != before


def test_a_target_is_made_of_its_own_stages_alone() -> None:
    text = CONTAINERFILE.read_text()
    for image in ALL:
        assert f" AS {image.target}\n" in stages_of(text, image.target)
    serving = stages_of(text, "runtime")
    assert all(f" AS {stage}\n" in serving for stage in ("base", "tools", "runtime-packages", "runtime"))
    assert not any(word in serving for word in ("AS tune", "AS data", "AS fetch", "tuning-cpu"))
    assert stages_of(text, "tune").startswith(serving)


def test_what_trains_is_in_no_image_that_serves() -> None:
    assert not any("tun" in source or "training" in source for source in RUNTIME.sources if source != "api/configs")
    assert set(RUNTIME.sources) < set(TUNE.sources)
    assert set(RUNTIME.pins) < set(TUNE.pins)


def test_the_tag_covers_every_file_that_the_containerfile_copies() -> None:
    text = CONTAINERFILE.read_text()
    lines = [line for line in text.splitlines() if line.startswith("COPY") and "--from=" not in line]
    copied = {word for line in lines for word in line.split()[1:-1]}
    pins = {f"constraints/{pin.name.replace('-cpu', '-${DEVICE}')}" for image in ALL for pin in image.pins}
    pins.add("constraints/torch-${TORCH}.txt")
    sources = {*pins, *(source for image in ALL for source in image.sources)}
    assert all(any(word == source or word.startswith(f"{source}/") for source in sources) for word in copied)


@pytest.mark.parametrize("image", ALL, ids=lambda image: image.target)
def test_an_image_holds_whatever_its_programs_import(image: Image) -> None:
    files = set(images.files_of(image.sources))
    reached, open_ = set[Path](), [file for file in files if file.name == "__main__.py"]
    assert open_
    while open_:
        file = open_.pop()
        reached.add(file)
        found = {found for name in imports_of(file) if (found := module_file(name))}
        open_ += found - reached
    assert reached <= files


def imports_of(file: Path) -> Iterator[str]:
    """The modules that a file imports anywhere; of `from a import b` both a and a.b, which may be one."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def module_file(name: str) -> Path | None:
    """The file of a module of this repository; None for what is not one."""
    path = REPOSITORY.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def test_an_image_is_referred_to_by_its_content() -> None:
    layout = Layout.of("demo")
    assert images.reference(layout, FETCH) == f"{layout.registry}/modelyard/fetch:{tag_of(FETCH, None)}"


def test_the_base_comes_from_the_machines_own_debian_sources() -> None:
    assert sources_of(APT_TARGETS, None) == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
    ]


def test_another_base_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BASE_VARIABLE, "python:3.11-slim")
    assert rootfs.given_base() == "python:3.11-slim"


def test_what_a_build_gets_from_this_machine_is_mounted_read_only(tmp_path: Path) -> None:
    options = build_options(BuildContext(tmp_path, tmp_path / "log"), Wanted(FETCH, "t"), BASES, tmp_path / "wheels")
    volumes = [options[at + 1] for at, option in enumerate(options) if option == "--volume"]
    assert volumes
    assert all(volume.endswith(":ro") for volume in volumes)
    assert "no-index = true" in (tmp_path / "images" / "pip.conf").read_text()


def test_an_image_is_built_with_the_torch_of_this_machine(tmp_path: Path) -> None:
    workshop = BuildContext(tmp_path, tmp_path / "log")
    options = build_options(workshop, Wanted(RUNTIME, "t", INDEX), BASES, tmp_path / "wheels")
    assert {"TORCH=index", "DEVICE=cpu"} <= set(options)
    assert not any(option.startswith("COMPILER") for option in options)


def test_an_image_names_the_base_that_it_is_made_on(tmp_path: Path) -> None:
    blob(tmp_path, "sha256:ab").parent.mkdir(parents=True)
    blob(tmp_path, "sha256:ab").write_text(json.dumps({"layers": [], "annotations": {BASE_DIGEST: "sha256:stage"}}))
    index = {"schemaVersion": 2, "manifests": [{"digest": "sha256:ab", "size": 1, "mediaType": "m"}]}
    (tmp_path / "index.json").write_text(json.dumps(index))
    name_base(tmp_path, Base("python:3.11-slim@sha256:cd", "sha256:cd"))
    named = manifest_of(tmp_path)
    manifest = blob(tmp_path, named["digest"]).read_bytes()
    assert json.loads(manifest)["annotations"] == {BASE_NAME: "python:3.11-slim", BASE_DIGEST: "sha256:cd"}
    assert (named["mediaType"], named["size"]) == ("m", len(manifest))
    assert named["digest"] == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    assert not blob(tmp_path, "sha256:ab").exists()


def test_an_image_for_gpus_has_the_compiler_that_triton_calls(tmp_path: Path) -> None:
    wanted = Wanted(on_device(RUNTIME, "cuda"), "t", for_gpus().build)
    options = build_options(BuildContext(tmp_path, tmp_path / "log"), wanted, BASES, tmp_path / "wheels")
    assert {"TORCH=cuda", "DEVICE=cuda"} <= set(options)
    assert any(option.startswith("COMPILER=gcc ") and "libpython3.11-dev" in option for option in options)


def test_the_device_changes_the_packages_of_what_computes_and_nothing_else() -> None:
    names = {device: [image.name for image in images_for(device)] for device in ("cpu", "cuda")}
    assert names["cpu"] == ["control-plane", "fetch", "runtime", "data", "tune"]
    assert names["cuda"] == ["control-plane", "fetch", "runtime-cuda", "data", "tune-cuda"]
    cuda = on_device(TUNE, "cuda")
    assert [pin.name for pin in cuda.pins] == ["runtime-cuda.txt", "tuning-cuda.txt"]
    assert (cuda.sources, cuda.repository) == (TUNE.sources, TUNE.repository)
    assert on_device(FETCH, "cuda") is FETCH
    assert tag_of(cuda, for_gpus()) != tag_of(TUNE, TORCH)


def test_pip_gets_the_torch_index_for_torch_alone(tmp_path: Path) -> None:
    assert "--extra-index-url" not in download_command(tmp_path, Pins(SERVING))
    torch = Pins(pins_file(CPU), ("--extra-index-url", "https://torch.example/cpu"))
    assert download_command(tmp_path, torch)[-2:] == ["--extra-index-url", "https://torch.example/cpu"]


def test_every_package_is_pinned_and_none_is_pinned_twice() -> None:
    for build in (CPU, INDEX, CUDA):
        lists = on_device(TUNE, "cuda" if build == CUDA else "cpu").pins
        texts = [file.read_text() for file in (*lists, pins_file(build))]
        lines = [line for text in texts for line in text.splitlines() if not line.startswith("#")]
        names = [line.partition("==")[0] for line in lines]
        assert all("==" in line for line in lines)
        assert len(set(names)) == len(names)
        assert "torch" in names


def test_packages_that_break_the_cpu_build_of_torch_stay_out() -> None:
    names = {line.partition("==")[0] for line in SERVING.read_text().splitlines()}
    assert not names & {"torchvision", "torchaudio", "torchcodec", "triton"}


def test_the_fetch_image_has_the_servers_versions() -> None:
    serving = set(SERVING.read_text().splitlines())
    fetching = {line for line in FETCHING.read_text().splitlines() if not line.startswith("#")}
    assert fetching <= serving


def test_another_python_is_refused_with_the_one_that_works() -> None:
    check_python((3, 11))
    with pytest.raises(RuntimeUnavailable, match=r"use python3\.11"):
        check_python((3, 13))


def test_the_large_torch_is_not_installed_where_it_would_not_fit(tmp_path: Path) -> None:
    check_disk(Torch(INDEX, CONFIGURED), tmp_path, LARGE_GIB << 30)
    check_disk(Torch(CPU, CONFIGURED), tmp_path, 0)
    with pytest.raises(
        RuntimeUnavailable, match=rf"has 30\.0 GiB free, and {LARGE_GIB} GiB are needed with torch for GPUs"
    ):
        check_disk(Torch(INDEX, CONFIGURED), tmp_path, 30 << 30)


def test_an_oci_layout_holds_one_image(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [{"digest": "sha256:ab"}]}))
    assert blob(tmp_path, manifest_of(tmp_path)["digest"]) == tmp_path / "blobs" / "sha256" / "ab"
    (tmp_path / "index.json").write_text(json.dumps({"manifests": []}))
    with pytest.raises(PushFailed, match="0 images"):
        manifest_of(tmp_path)
