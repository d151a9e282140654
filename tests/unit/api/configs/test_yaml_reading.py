"""YAML from users: what it means, where a mistake is, and that no input costs more than its bound."""

import re
import time
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api.configs.inference import parse_inference_config
from api.configs.problem import ConfigProblem
from api.configs.training import parse_training_config
from api.configs.yaml_reading import NODES_MAX, SIZE_MAX, read_yaml

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    # PyYAML writes such a text as it is, because YAML 1.1 wants a dot in a number; the API server's YAML does not.
    | st.text(max_size=20).filter(lambda text: not re.fullmatch(r"[-+]?[0-9_]+[eE][-+]?[0-9]+", text))
)
KEYS = st.text(max_size=10).filter(lambda key: key != "<<")
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


@given(VALUES)
def test_what_pyyaml_writes_is_read_back(value: Any) -> None:
    assert read_yaml(yaml.safe_dump(value)).value == value


@given(st.text(max_size=300) | st.text(alphabet="{}[]:,-?&*!<>|#'\"\n %@`a0", max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_yaml(text)
    except ConfigProblem as problem:
        assert problem.errors


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1e-4", 1e-4), ("2E5", 2e5), (".5", 0.5), ("-3", -3), ("0x10", 16), ("1_000", 1000), ("-0.1", -0.1)),
        *(("010", "010"), ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), (".nan", ".nan"), (".inf", ".inf")),
        *(("1e999", "1e999"), ("yes", True), ("Off", False), ("~", None), ("'yes'", "yes"), ('"1"', "1"), ("", None)),
        *(("nullish", "nullish"), ("1.2.3", "1.2.3"), ("9" * 400, "9" * 400)),
    ],
)
def test_plain_scalars(text: str, value: object) -> None:
    found = read_yaml(f"key: {text}").value["key"]
    assert (type(found), found) == (type(value), value)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert read_yaml("on: 1\n1: 2\nnull: 3").value == {"on": 1, "1": 2, "null": 3}


def test_aliases_and_merge_keys_mean_what_they_mean_in_yaml() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a]\n"
    assert read_yaml(text).value == yaml.safe_load(text)


def test_what_stands_at_an_alias_is_a_value_of_its_own() -> None:
    found = read_yaml("a: &a {x: {y: [1]}}\nb: *a\nc: {<<: *a}\n").value
    found["a"]["x"]["y"].append(2)
    assert (found["b"], found["c"]) == ({"x": {"y": [1]}}, {"x": {"y": [1]}})


def test_a_value_at_an_alias_may_be_as_deep_as_any_other() -> None:
    assert read_yaml("a: &a [[[1]]]\nb: " + "[" * 16 + "*a" + "]" * 16).value["b"]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "---\n...\n"])
def test_an_empty_document_is_none(text: str) -> None:
    assert read_yaml(text).value is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: [\n", "line 3, column 1: is not valid YAML"),
        ("a: b: c", "line 1, column 5: is not valid YAML"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' is given twice; the first is on line 1"),
        ("a: !!python/object/apply:os.system ['x']", "the tag .* is not allowed"),
        ("a: !!int 3", "the tag .* is not allowed"),
        ("!x a: 1", "the tag|plain text"),
        ("{[1]: 2}", "a key must be plain text"),
        ("a: *b", "is not valid YAML|no finished anchor"),
        ("a: &a [*a]", "no finished anchor"),
        ("a: 1\n---\nb: 2", "line 2, column 1: a second document begins"),
        ("<<: 3", "must be followed by an alias of a map"),
        ("a: \x00", "is not valid YAML"),
        ("a: \ud800", "not text"),
        ("[" * 1000, "nested deeper than 20 levels"),
        ("- " * 1000 + "a", "nested deeper than 20 levels"),
        ("a:\n" + "- 1\n" * NODES_MAX, "more than 5000 values"),
        (BOMB, "more than 5000 values, aliases expanded"),
        ("a: &a [[[1]]]\nb: " + "[" * 17 + "*a" + "]" * 17, "line 2, column 21: nested deeper than 20 levels"),
        (
            "".join(f"a{n}: &a{n} " + "[" * 18 + f"*a{n - 1}" * (n > 0) + "]" * 18 + "\n" for n in range(20)),
            "nested deeper",
        ),
        ("a" * (SIZE_MAX + 1), "65537 bytes, and 65536 are allowed"),
    ],
)
def test_what_is_refused_says_where_and_why(text: str, words: str) -> None:
    with pytest.raises(ConfigProblem, match=words):
        read_yaml(text)


HOSTILE = (
    *(BOMB, "[" * SIZE_MAX, "? " * (SIZE_MAX // 2), "a: " * (SIZE_MAX // 3), "&a " * (SIZE_MAX // 3), "'" * SIZE_MAX),
    *("{a" * (SIZE_MAX // 2), "- " * (SIZE_MAX // 2), "%" * SIZE_MAX, "a\n" * (SIZE_MAX // 2), '"\\x' * 20000),
)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:8])
def test_a_hostile_document_costs_little_time(text: str) -> None:
    started = time.process_time()
    with suppress(ConfigProblem):
        read_yaml(text)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("outer", ["vllm:", "training_config:\n LoraConfig:", "training_config:\n TrainingArguments:"])
def test_thousands_of_unknown_keys_cost_little_time(outer: str) -> None:
    text = f"{outer}\n" + "".join(f"    max-modl-lenght-{number}: 1\n" for number in range(2400))
    started = time.process_time()
    for parse in (parse_inference_config, parse_training_config):
        with suppress(ConfigProblem):
            assert len(parse(text).warnings) < 30
    assert time.process_time() - started < 1


def test_every_value_knows_its_line() -> None:
    document = read_yaml("vllm:\n  # which\n  dtype: half\n  list:\n    - a\n    - b\n")
    assert document.line_of(("vllm", "dtype")) == 3
    assert document.line_of(("vllm", "list", 1)) == 6
    assert document.line_of(("vllm", "list", 1, "deeper")) == 6
    assert document.line_of(("other",)) is None
