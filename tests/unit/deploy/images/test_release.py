"""Where the images of an installation go, what a mirror is told of them, and which base is refused."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from deploy.chart_values.group import Group
from deploy.chart_values.images import OthersImage
from deploy.chart_values.installation import Values
from deploy.images.others import others
from deploy.images.release import BaseNotPinned, Listed, check_base, listed, version
from deploy.local.images.bases import BASE_DIGEST, BASE_NAME
from deploy.local.images.contents import FETCH
from deploy.local.images.images import tag_of
from deploy.local.images.rootfs import BASE_VARIABLE
from deploy.local.layout import Layout

PINNED = "python:3.11-slim@sha256:" + "a" * 64


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.delenv(BASE_VARIABLE, raising=False)
    return replace(Layout.of(), cache=tmp_path, state=tmp_path)


def build_something(layout: Layout) -> None:
    """What a build of the fetch image leaves in the cache."""
    folder = layout.cache / "images" / "layouts" / f"fetch-{tag_of(FETCH, None)}"
    (folder / "blobs" / "sha256").mkdir(parents=True)
    notes = {BASE_NAME: "localhost/base:x", BASE_DIGEST: "sha256:bb"}
    manifest = {"layers": [{"size": 70}, {"size": 7}], "annotations": notes}
    (folder / "blobs" / "sha256" / "aa").write_text(json.dumps(manifest))
    (folder / "index.json").write_text(json.dumps({"manifests": [{"digest": "sha256:aa"}]}))


def test_a_mirror_is_told_every_image_and_what_is_built_by_its_digest(layout: Layout) -> None:
    build_something(layout)
    assert listed(layout, "cuda", "reg.example/ml", "1.0") == [
        Listed("reg.example/ml/modelyard/control-plane:1.0"),
        Listed("reg.example/ml/modelyard/fetch:1.0", "sha256:aa", 77, "localhost/base:x@sha256:bb"),
        Listed("reg.example/ml/modelyard/runtime:1.0-cuda"),
        Listed("reg.example/ml/modelyard/data:1.0"),
        Listed("reg.example/ml/modelyard/tune:1.0-cuda"),
    ]


def test_the_command_lists_the_version_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["images", "list", "--registry", "reg.example", "--json"]) == 0
    found = [image["image"] for image in json.loads(capsys.readouterr().out)]
    assert found[2] == f"reg.example/modelyard/runtime:{version()}-cpu"
    assert set(found) >= {image.reference for image in others("reg.example")}


def test_every_image_of_others_that_the_chart_has_a_value_for_is_listed() -> None:
    def images(group: Any) -> Iterator[str]:
        for value in dict(group).values():
            if isinstance(value, OthersImage):
                yield f"{value.registry}/{value.repository}:{value.tag}"
            elif isinstance(value, Group):
                yield from images(value)

    assert sorted(image.source for image in others("reg.example")) == sorted(images(Values()))


def test_the_value_that_asks_for_an_image_of_others_is_one() -> None:
    values = Values().model_dump(by_alias=True)
    for image in others("reg.example/ml"):
        group, _, value = image.needed_with.partition(".")
        assert values[group][value] is False
        assert image.reference == "reg.example/ml/" + image.source.split("/", 1)[1]


def test_a_base_has_a_digest() -> None:
    check_base(None)
    check_base(PINNED)
    with pytest.raises(
        BaseNotPinned, match=r"python:3\.11-slim without a digest: write it as python:3\.11-slim@sha256"
    ):
        check_base("python:3.11-slim")


def test_the_command_refuses_a_base_without_digest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(BASE_VARIABLE, "python:3.11-slim")
    assert main(["images", "build"]) == 2
    assert "without a digest" in capsys.readouterr().err
