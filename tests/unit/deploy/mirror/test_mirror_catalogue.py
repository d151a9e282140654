"""What the mirror builds: when it builds, that an interrupted build counts as none, and what it refuses."""

import sys
from pathlib import Path

import pytest

from deploy.local.host.commands import CommandFailed
from deploy.local.mirror.repositories.build import BuildRefused, Folders, Recipe, build_missing, missing
from deploy.local.mirror.repositories.catalog import (
    CHAT_DATASET,
    FACTS_DATASET,
    PHI3_4K,
    PHI3_128K,
    SMOLLM2,
    ensure_repos,
    missing_repos,
)
from deploy.local.mirror.repositories.chat_rows import rows

PYTHON = Path(sys.executable)
PROGRAM = "import pathlib, sys\nout = pathlib.Path(sys.argv[2])\nout.mkdir()\n(out / 'a').write_text('1')\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A repository that is built by a program of four lines."""
    program = tmp_path / "build.py"
    program.write_text(PROGRAM)
    return Recipe("models", "acme/tiny", (program,))


def test_a_repository_is_built_once_and_again_when_its_recipe_changes(tmp_path: Path, recipe: Recipe) -> None:
    folders = Folders(tmp_path / "mirror")
    reported: list[str] = []
    built = folders.files("models", "acme/tiny") / "a"
    build_missing(folders, [recipe], reported.append, python=PYTHON)
    assert built.read_text() == "1"
    build_missing(folders, [recipe], reported.append, python=Path("/nowhere"))
    recipe.programs[0].write_text(PROGRAM.replace("'1'", "'2'"))
    assert missing(folders, [recipe]) == [recipe]
    build_missing(folders, [recipe], reported.append, python=PYTHON)
    assert built.read_text() == "2"
    assert reported == ["building acme/tiny"] * 2


def test_a_build_that_fails_leaves_no_repository_and_names_the_log(tmp_path: Path, recipe: Recipe) -> None:
    folders = Folders(tmp_path / "mirror")
    recipe.programs[0].write_text(PROGRAM + "raise SystemExit('no answer')\n")
    with pytest.raises(CommandFailed, match=r"(?s)log: .*build\.log.*no answer"):
        build_missing(folders, [recipe], print, python=PYTHON)
    assert missing(folders, [recipe]) == [recipe]
    assert not folders.files("models", "acme/tiny").parent.exists()


def test_what_an_interrupted_build_left_is_built_over(tmp_path: Path, recipe: Recipe) -> None:
    folders = Folders(tmp_path / "mirror")
    left = folders.building / "models/acme/tiny/main/half"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    build_missing(folders, [recipe], print, python=PYTHON)
    assert [file.name for file in folders.files("models", "acme/tiny").iterdir()] == ["a"]


def test_a_build_that_fails_keeps_the_repository_that_was_there(tmp_path: Path, recipe: Recipe) -> None:
    folders = Folders(tmp_path / "mirror")
    build_missing(folders, [recipe], print, python=PYTHON)
    recipe.programs[0].write_text("raise SystemExit(1)")
    with pytest.raises(CommandFailed):
        build_missing(folders, [recipe], print, python=PYTHON)
    assert (folders.files("models", "acme/tiny") / "a").read_text() == "1"


def test_without_the_runtime_environment_the_build_names_it(tmp_path: Path) -> None:
    with pytest.raises(BuildRefused, match="SmolLM2-135M-Instruct is built by /nowhere/python, which is missing"):
        ensure_repos(tmp_path, print, runtime_python=Path("/nowhere/python"))


def test_the_catalogue_holds_the_models_and_the_dataset_that_examples_name(tmp_path: Path) -> None:
    assert missing_repos(tmp_path) == [SMOLLM2, PHI3_4K, PHI3_128K, CHAT_DATASET, FACTS_DATASET]


def test_the_chat_dataset_has_64_different_conversations_in_the_messages_format() -> None:
    conversations = rows()
    assert len({messages[0]["content"] for messages in conversations}) == len(conversations) == 64
    for messages in conversations:
        assert [message["role"] for message in messages] == ["user", "assistant"]
        assert all(set(message) == {"content", "role"} and message["content"] for message in messages)
