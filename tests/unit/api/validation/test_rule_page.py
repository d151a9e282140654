"""docs/admission.md is what the rules say of themselves, and every rule that the code asks stands in the table."""

import re
from pathlib import Path

import yaml

from api.reasons import REASONS
from api.validation.rules import rule_table

ROOT = Path(__file__).parents[4]
CODE = [
    *(ROOT / "api" / "validation").rglob("*.py"),
    ROOT / "presets/admission/rules.py",
    ROOT / "presets/admission/config_maps.py",
    ROOT / "presets/admission/policy.py",
    ROOT / "presets/admission/templates.py",
    ROOT / "presets/plan/judge.py",
    ROOT / "api/policy/rules.py",
    ROOT / "admin/webhook/permissions.py",
]


def test_each_reason_is_one_of_the_status() -> None:
    assert {row.reason for row in rule_table().values()} <= set(REASONS)


def test_kaitos_rules_are_all_there() -> None:
    ids = set(rule_table())
    assert {f"C{number}" for number in range(1, 52)} <= ids
    assert {f"U{number}" for number in range(1, 17)} <= ids


def test_the_code_applies_the_rules_of_the_table() -> None:
    named = {
        rule for file in CODE
        for found in re.findall(r"Problem\(\s*\"([A-Z]+\d+)\"|\"([CULSMIP]\d+)\"", file.read_text())
        for rule in found if rule
    }  # fmt: skip
    assert named == {row.id for row in rule_table().values() if row.asked != "never"}


def test_an_applied_rule_says_what_to_write_and_another_says_why_not() -> None:
    for row in rule_table().values():
        assert row.refused
        assert row.kaito or row.asked != "never", row.id


def test_each_id_is_there_once() -> None:
    rows = yaml.safe_load((ROOT / "api" / "validation" / "rules.yaml").read_text())["rules"]
    assert len({row["id"] for row in rows}) == len(rows)
