"""Nobody's Workspace keeps another one's waiting: reading and judging any of them stands in the way for a moment only.

Admission judges on its event loop, so what one review takes all others wait. It is counted as the process's own
computing time: a clock on the wall would tell of the machine.
"""

import asyncio
import json
import time
from typing import Any

import pytest

from admin.webhook.__main__ import AllRules
from admin.webhook.admission_review import BODY_LIMIT, REVIEW_LIMITS, REVIEW_VALUES, VERSION, Review
from admin.webhook.app import answer_of
from admin.webhook.config_maps import ConfigMaps
from testing.workspaces import workspace

STANDS_S = 0.25
"""What nothing may take longer than; the API server waits for seconds."""
RULES = AllRules("aks")


class Named:
    """The ConfigMaps that every Workspace names."""

    def __init__(self, **texts: str) -> None:
        self._found = {"c": {"metadata": {"name": "c"}, "data": {f"{key}.yaml": text for key, text in texts.items()}}}

    async def named_by(self, review: Review) -> ConfigMaps | None:
        return self._found


def seconds(body: bytes, **texts: str) -> float:
    """The least of a few tries: what is above it is others' work on the same core."""

    def once() -> float:
        began = time.thread_time()
        asyncio.run(answer_of(body, RULES, Named(**texts)))
        return time.thread_time() - began

    return min(once() for _ in range(4))


def a_workspace(place: str = "", more: dict[str, Any] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(workspace("w", preset="phi-4-mini-instruct")))
    inner = made
    for part in filter(None, place.split(".")):
        inner = inner.setdefault(part, {})
    inner.update(more or {})
    return made


def review(new: Any, old: Any = None) -> bytes:
    operation = "CREATE" if old is None else "UPDATE"
    request = {"uid": "u", "operation": operation, "namespace": "default", "object": new, "oldObject": old}
    body = json.dumps({"apiVersion": VERSION, "kind": "AdmissionReview", "request": request}).encode()
    assert len(body) <= REVIEW_LIMITS[operation]
    return body


@pytest.mark.parametrize("place", ["", "resource.labelSelector.matchLabels", "metadata.annotations"])
def test_nine_thousand_unknown_names_are_judged_in_a_moment(place: str) -> None:
    old = a_workspace(place, {f"unknown-field-{number}": "x" for number in range(9000)})
    new = a_workspace(place, {f"unknown-field-{number}": "y" for number in range(9000)})
    assert seconds(review(new, old)) < STANDS_S


def test_the_longest_texts_are_judged_in_a_moment() -> None:
    new = a_workspace()
    source = {"name": "a", "image": f"x/{'a' * 10_000}"}
    new["inference"]["adapters"] = [{"source": source, "strength": "9" * 10_000 + "x"} for _ in range(10)]
    assert seconds(review(new)) < STANDS_S


@pytest.mark.parametrize("part", [b"[]", b"1", b'{"a":1}', b'"a"'])
def test_the_longest_body_is_refused_in_a_moment(part: bytes) -> None:
    many = (BODY_LIMIT - 100) // (len(part) + 1)
    assert seconds(b'{"kind":"AdmissionReview","x":[' + b",".join([part] * many) + b"]}") < STANDS_S


@pytest.mark.parametrize("part", ["[]", '"k%d":1'])
def test_as_many_values_as_are_read_are_read_in_a_moment(part: str) -> None:
    parts = ",".join(part % number if "%" in part else part for number in range(REVIEW_VALUES // 2 - 10))
    whole = f'{{"kind":"AdmissionReview","x":{"[%s]" if part == "[]" else "{%s}"}}}' % parts
    assert seconds(whole.encode()) < STANDS_S


@pytest.mark.parametrize(
    "text",
    [
        "vllm:\n" + "".join(f"  option-number-{number}: 1\n" for number in range(2400)),
        "vllm:\n  cudagraph-capture-sizes: [" + "1, " * 4900 + "1]\n",
        "vllm:\n  dtype: " + "x" * 60_000,
        "vllm:\n  cpu-offload-gb: " + "9" * 60_000 + "x",
        "vllm:\n  cpu-offload-gb: '" + "9" * 60_000 + "x'",
        'vllm:\n  speculative-config: \'{"a":[' + "[]," * 20_000 + "[]]}'",
        "".join(f"key{number}: 1\n" for number in range(2400)),
        "vllm:\n  ? compilation-config." + "a." * 30_000 + "a\n  : 1\n",
        "vllm: " + "[" * 60_000,
    ],
    ids=["options", "sizes", "text", "number", "number as text", "json", "keys", "dots", "brackets"],
)
def test_the_largest_config_map_is_read_in_a_moment(text: str) -> None:
    assert seconds(review(a_workspace("inference", {"config": "c"})), inference_config=text) < STANDS_S
