"""What builds leave in buildah's storage: nothing where they fail, and layers that the next one needs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.host.commands import CommandFailed, output_of, run_logged
from deploy.local.images.bases import Base, Bases
from deploy.local.images.build import CONTAINERFILE, Wanted, build_options
from deploy.local.images.buildah import SHORT_DEADLINE_S, BuildContext
from deploy.local.images.contents import FETCH
from deploy.local.images.room import GIB, keep_small

FAILS = f"""FROM scratch AS {FETCH.target}
COPY file /file
RUN ["/no-such-program"]
"""


@pytest.fixture
def context(tmp_path: Path) -> Iterator[BuildContext]:
    """With a storage of its own."""
    made = BuildContext(tmp_path, tmp_path / "images.log")
    yield made
    shutil.rmtree(made.run_folder)


def test_a_build_that_fails_leaves_no_copy_of_its_image(tmp_path: Path, context: BuildContext) -> None:
    own, folder = tmp_path / "Containerfile", tmp_path / "source"
    own.write_text(FAILS)
    folder.mkdir()
    (folder / "file").write_text("content")
    scratch = Base("scratch")
    options = build_options(context, Wanted(FETCH, "fails"), Bases(scratch, scratch), folder)
    argv = [str(own) if word == str(CONTAINERFILE) else word for word in options]
    with pytest.raises(CommandFailed, match="/no-such-program"):
        run_logged(context.buildah("bud", *argv, str(folder)), context.log, deadline_s=SHORT_DEADLINE_S)
    assert output_of(context.buildah("containers", "--quiet"), deadline_s=SHORT_DEADLINE_S) == ""
    assert str(context.folder) not in Path("/proc/mounts").read_text()


def test_layers_for_gpus_are_kept_by_the_small_images_that_are_built_with_them(context: BuildContext) -> None:
    said = list[str]()
    context.storage.mkdir(parents=True)
    with (context.storage / "layer").open("wb") as layer:
        layer.truncate(30 * GIB)  # which takes no room
    keep_small(context, "cuda", said.append)
    assert said == []
    keep_small(context, "cpu", said.append)
    assert said == ["removing the layers of earlier builds"]
