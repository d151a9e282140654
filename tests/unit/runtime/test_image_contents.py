"""An image holds every file of ours that its programs import, and the Containerfile copies just what is listed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.images.contents import DATA, FETCH, IMAGES, RUNTIME, TUNE, Image

ROOT = Path(__file__).parents[3]
# The repository is installed in this environment and lends what the folder lacks: so ask where each module came from.
LENT = """
import importlib, os, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
here = os.getcwd()
ours = {name: m.__file__ or here for name, m in sys.modules.items() if name.split(".")[0] in ("api", "runtime")}
lent = [name for name, file in ours.items() if not file.startswith(here)]
sys.exit(f"not in the image: {lent}" if lent else 0)
"""
CONTAINERFILE = (ROOT / "deploy" / "images" / "Containerfile").read_text()


@pytest.mark.parametrize(
    ("image", "modules"),
    [
        (FETCH, ("runtime.fetch.__main__",)),
        (DATA, ("runtime.data.__main__", "runtime.publish.__main__", "runtime.adapters.__main__")),
        (RUNTIME, ("runtime.serve.__main__", "runtime.serve.server", "runtime.serve.arguments")),
        (TUNE, ("runtime.tune.__main__", "runtime.tune.data.files", "runtime.tune.train.checkpoints")),
    ],
    ids=["fetch", "data", "runtime", "tune"],
)
def test_what_an_image_holds_is_all_that_its_programs_import(
    image: Image, modules: tuple[str, ...], tmp_path: Path
) -> None:
    for source in image.sources:
        target = tmp_path / source
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, target)
    done = subprocess.run(
        [sys.executable, "-c", LENT, *modules],
        cwd=tmp_path.resolve(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-1000:]


@pytest.mark.parametrize("image", IMAGES, ids=[image.target for image in IMAGES])
def test_what_is_copied_is_what_the_images_tag_is_made_from(image: Image) -> None:
    assert sorted(_copied(image.target)) == sorted(image.sources)


def _copied(target: str) -> list[str]:
    """What a stage copies from the repository, with the stages below it."""
    if target == "base":
        return []
    ((below, stage),) = re.findall(rf"^FROM (\S+) AS {target}\n(.*?)(?=^FROM |\Z)", CONTAINERFILE, re.M | re.S)
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", stage, re.M)
    return [*_copied(below), *(word for line in lines for word in line.split())]
