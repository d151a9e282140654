"""Every file of `examples/` is accepted by `modelyard validate` without a note, and can be planned."""

import json
import re
from pathlib import Path

import pytest

from cli.main import main
from deploy.local.demo.demo import EXAMPLES
from testing.example_files import FILES, workspaces_in

FROM_THE_HUB = {"serve-hub-model"}
"""Planned with `--hub` only: the catalogue does not have the model."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_accepted(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-f", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["documents"]
    judged = [document for document in found if document["kind"] == "Workspace"]
    assert [(document["verdict"], document["notes"]) for document in judged] == [("accepted", [])]
    assert judged[0]["name"] == workspaces_in(file)[0]["metadata"]["name"]


@pytest.mark.parametrize("file", [file for file in FILES if file.stem not in FROM_THE_HUB], ids=lambda file: file.stem)
def test_an_example_can_be_planned(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "-f", str(file)]) == 0, capsys.readouterr().out


def test_the_index_has_every_example_with_a_comment_at_its_top() -> None:
    listed = re.findall(r"^\| \[([\w.-]+)\]\(\1\)", (EXAMPLES / "README.md").read_text(), re.M)
    assert sorted(listed) == [file.name for file in FILES]
    assert all(file.read_text().startswith("# ") for file in FILES)


def test_names_differ_so_that_all_can_be_applied_together() -> None:
    names = [workspace["metadata"]["name"] for file in FILES for workspace in workspaces_in(file)]
    assert len(set(names)) == len(names) == len(FILES)
