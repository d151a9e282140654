"""What pages for operators tell people to type exists: commands and their options, targets of make, files, values."""

import re
import shlex
from collections.abc import Iterator
from typing import Any, Final

import pytest
import typer
import yaml
from pydantic import ValidationError

from cli.main import app
from deploy.chart_values.installation import Values
from tests.unit.prose.named_files import ROOT

PAGES: Final = (
    "air-gapped",
    "images",
    "install",
    "migrate-from-kaito",
    "operations",
    "temporal",
    "uninstall",
    "upgrade",
)
SHELL: Final = re.compile(r"^ *```(console|sh)\n(.*?)^ *```", re.M | re.S)
BLOCK: Final = re.compile(r"^```yaml\n(.*?)^```", re.M | re.S)
OURS: Final = re.compile(r"(?<![\w@/])((?:deploy|docs|examples)/[\w./-]+)")


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def typed(name: str) -> Iterator[str]:
    """Each line that is typed, continued ones as one: in `console` what has a prompt, in `sh` everything."""
    for kind, block in SHELL.findall(page(name)):
        for line in block.replace("\\\n", " ").splitlines():
            if kind == "sh" or line.strip().startswith("$ "):
                yield line.strip().removeprefix("$ ")


def calls(program: str, line: str) -> Iterator[list[str]]:
    """The words behind each call of the program: at the beginning of a line, of a pipe's part, or after `--`."""
    words = shlex.split(line, comments=True)
    for index, word in enumerate(words):
        if word == program and (index == 0 or words[index - 1] in ("--", "|")):
            rest = words[index + 1 :]
            yield rest[: rest.index("|")] if "|" in rest else rest


def problem_of_call(words: list[str]) -> str:
    """Why `modelyard` would not take these words, empty if it would."""
    command: Any = typer.main.get_command(app)
    words = list(words)
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return f"no such command: {' '.join(words)}"
        command = command.commands[words.pop(0)]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]
    return f"unknown options: {unknown}" if unknown else ""


@pytest.mark.parametrize("name", PAGES)
def test_our_command_takes_what_is_typed(name: str) -> None:
    for line in typed(name):
        for words in calls("modelyard", line):
            assert problem_of_call(words) == "", line


@pytest.mark.parametrize("words", [["sweep", "--dry"], ["images", "listing"], ["images", "list", "--hosts"]])
def test_what_it_does_not_take_would_be_found(words: list[str]) -> None:
    assert problem_of_call(words)


@pytest.mark.parametrize("name", PAGES)
def test_files_and_targets_that_are_typed_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for line in typed(name):
        missing = [path for path in OURS.findall(line) if not (ROOT / path).exists()]
        assert not missing, line
        assert {words[0] for words in calls("make", line)} <= targets, line


def completed(given: Any, defaults: Any) -> Any:
    """The defaults with what a file of values gives, as Helm does it."""
    if not isinstance(given, dict) or not isinstance(defaults, dict):
        return given
    return defaults | {key: completed(value, defaults.get(key)) for key, value in given.items()}


@pytest.mark.parametrize("name", ["air-gapped", "install", "upgrade"])
def test_values_are_those_of_the_chart(name: str) -> None:
    blocks = [yaml.safe_load(block) for block in BLOCK.findall(page(name))]
    assert blocks
    defaults = Values().model_dump(by_alias=True, mode="json")
    for block in blocks:
        Values.model_validate(completed(block, defaults))


def test_a_value_that_the_chart_does_not_have_would_be_found() -> None:
    wrong = completed({"image": {"registries": "x"}}, Values().model_dump(by_alias=True, mode="json"))
    with pytest.raises(ValidationError, match="registries"):
        Values.model_validate(wrong)


def test_pages_are_read() -> None:
    assert "make images DEVICE=cuda REGISTRY=contosomodels.azurecr.io" in list(typed("install"))
    assert sum(1 for name in PAGES for line in typed(name) for _ in calls("modelyard", line)) >= 5
