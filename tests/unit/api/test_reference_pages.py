"""The reference pages are what the programs' own tables say, and leave nothing out."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api import labels
from api.reasons import REASONS, FailureClass
from api.reference.fields import fields_page, type_words
from api.reference.markdown import code, table
from api.reference.pages import PAGES
from api.reference.readers import ANNOTATIONS, FIELD_READERS, reader_of
from api.reference.reasons import CONDITIONS, NEXT, reasons_page
from api.resource.conditions import ConditionType
from api.resource.crd import crd
from testing.deadlines import PATIENCE_S

ROOT = Path(__file__).parents[3]
VERSIONS = {entry["name"]: entry["schema"]["openAPIV3Schema"] for entry in crd()["spec"]["versions"]}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_in_the_repository_is_the_generated_one(name: str) -> None:
    file = ROOT / "docs" / f"{name}.md"
    assert file.read_text() == PAGES[name](), f"run: python -m api.reference {name} > docs/{name}.md"


def paths(schema: dict[str, Any], path: str = "") -> set[str]:
    found = set()
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        items, values = child.get("items", {}), child.get("additionalProperties", {})
        found |= {here, *paths(child, here), *paths(items, f"{here}[]"), *paths(values, f"{here}.*")}
    return found


def test_every_field_of_both_versions_has_its_row() -> None:
    reported = set(re.findall(r"^\| `([^`]+)` \|", fields_page(), re.M))
    assert paths(VERSIONS["v1alpha1"]) == paths(VERSIONS["v1beta1"])
    assert paths(VERSIONS["v1beta1"]) | set(ANNOTATIONS) == reported


def test_every_reader_named_is_of_a_field_that_exists_and_every_annotation_is_there() -> None:
    assert set(FIELD_READERS) <= paths(VERSIONS["v1beta1"])
    assert set(ANNOTATIONS) == labels.USER_ANNOTATIONS
    assert reader_of("resource.labelSelector.matchExpressions[].key") == FIELD_READERS["resource.labelSelector"]
    with pytest.raises(KeyError, match=r"readers\.py"):
        reader_of("nothing.of.the.kind")


def test_every_reason_and_every_condition_can_be_linked_to_once() -> None:
    text = reasons_page()
    for name in REASONS:
        assert text.count(f'<a id="{name.lower()}"></a>') == 1, name
        assert f"[{name}](#{name.lower()})" in text
    assert len({name.lower() for name in REASONS}) == len(REASONS)
    assert set(CONDITIONS) == set(ConditionType)
    assert set(NEXT) == set(FailureClass)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"type": "array", "items": {"type": "string"}}, "list of strings"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "map of integers"),
        ({"type": "integer", "minimum": 1, "default": 1}, "integer, at least 1, default `1`"),
        ({"type": "string", "enum": ["a", "b"]}, "string, one of `a`, `b`"),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, "object, as Kubernetes defines it"),
    ],
)
def test_types_are_described(field: dict[str, Any], words: str) -> None:
    assert type_words(field, required=False) == words
    assert type_words(field, required=True) == f"{words}, **required**"


def test_a_cell_cannot_break_its_table() -> None:
    assert table(["a"], [["x|y\nz"]]).splitlines()[2] == "| x\\|y z |"
    assert code(True) == "`true`"


def test_an_unknown_page_is_misuse() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api.reference", "other"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 2
    assert "fields|reasons|config-keys|policy" in done.stderr
