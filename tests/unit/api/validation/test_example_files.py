"""The example Workspaces are admitted, except those that show shapes which KAITO's rules refuse."""

from pathlib import Path

import pytest
import yaml

from presets.plan.judge import problems_on_create, problems_on_update

EXAMPLES = sorted((Path(__file__).parents[3] / "fixtures" / "workspaces").glob("*/*.yaml"))
REFUSED_BY_RULES = {"v1alpha1_private_image": {"C37"}}


@pytest.mark.parametrize("file", EXAMPLES, ids=[file.stem for file in EXAMPLES])
def test_an_example_is_accepted_or_refused_as_its_folder_says(file: Path) -> None:
    document = yaml.safe_load(file.read_text())
    own_nodes = "instanceType" not in document.get("resource", {}) and file.stem.startswith("v1beta1")
    found = {problem.rule for problem in problems_on_create(document, provider="byo" if own_nodes else "aks")}
    if file.parent.name == "valid":
        assert found == REFUSED_BY_RULES.get(file.stem, set())
    else:
        assert found
    assert problems_on_update(document, document) == []
