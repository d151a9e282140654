"""An adapter whose answers are the base model's to the bit is named; one that changes the least of them is not."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest

from activities.serving.adapter_effects import Continuation, continuation_of, distance, question, without_effect

BASE = Continuation(("a", "b"), ({"a": -0.1, "x": -2.5}, {"b": -0.4, "y": -3.0}))


def moved(by: float) -> Continuation:
    """The base model's answer with each log-probability moved."""
    return Continuation(BASE.tokens, tuple({token: value + by for token, value in step.items()} for step in BASE.steps))


def answer(**changes: Any) -> dict[str, Any]:
    told = {"tokens": list(BASE.tokens), "top_logprobs": [dict(step) for step in BASE.steps]}
    return {"choices": [{"text": "ab", "logprobs": told | changes}]}


def test_the_same_answer_is_at_distance_zero_and_any_number_counts() -> None:
    assert distance(BASE, moved(0)) == 0
    assert distance(BASE, moved(-1e-6)) == pytest.approx(1e-6)
    last = Continuation(BASE.tokens, (BASE.steps[0], {"b": -0.4, "y": -3.25}))
    assert distance(BASE, last) == 0.25


def test_behind_the_first_different_token_nothing_is_compared() -> None:
    other = Continuation(("a", "y"), (BASE.steps[0], {"y": -0.5, "b": -0.9}))
    longer = Continuation((*BASE.tokens, "c"), (*BASE.steps, {"c": -0.1}))
    elsewhere = Continuation((*other.tokens, "d"), (*other.steps, {"d": -9.0}))
    assert distance(longer, elsewhere) == distance(BASE, other) == 2.5


def test_tokens_that_were_not_considered_and_answers_of_another_length_differ() -> None:
    others = Continuation(("z", "b"), ({"z": -0.7, "w": -0.8}, BASE.steps[1]))
    assert distance(BASE, others) > 0
    assert distance(BASE, Continuation(("a",), BASE.steps[:1])) > 0


def test_an_answer_of_the_servers_is_read() -> None:
    assert continuation_of(answer()) == BASE


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"choices": []},
        {"choices": [{"text": "a", "logprobs": None}]},
        answer(tokens=[]),
        answer(top_logprobs=[]),
        answer(top_logprobs=[{}, {}]),
        answer(top_logprobs=[{"a": None}, {"b": -1}]),
        answer(top_logprobs=[{"a": math.nan}, {"b": -1.0}]),
        answer(top_logprobs=["a", "b"]),
        answer(tokens=7),
    ],
    ids=str,
)
def test_an_answer_without_numbers_is_none(broken: dict[str, Any]) -> None:
    assert continuation_of(broken) is None


class Server:
    """Answers by the model's name; the base model's answers are repeated with the noises given."""

    def __init__(self, effects: dict[str, float], *noises: float) -> None:
        self._effects, self._noises = effects, self._around(noises or (0.0,))
        self.asked: list[str] = []

    @staticmethod
    def _around(noises: tuple[float, ...]) -> Iterator[float]:
        return itertools.cycle(noises)

    async def ask(self, model: str) -> Continuation | None:
        self.asked.append(model)
        return moved(self._effects.get(model, 0.0) + next(self._noises))


async def test_the_adapter_without_effect_is_named_and_the_others_are_not() -> None:
    server = Server({"loud": 0.7, "faint": 1e-7})
    assert await without_effect(server.ask, "base", ["loud", "idle", "faint"]) == ["idle"]
    assert server.asked.count("base") <= 4


async def test_two_completions_show_that_a_lone_adapter_has_none() -> None:
    server = Server({})
    assert await without_effect(server.ask, "base", ["idle"]) == ["idle"]
    assert server.asked == ["base", "idle"]


async def test_three_show_that_it_has_one() -> None:
    server = Server({"loud": 0.1})
    assert await without_effect(server.ask, "base", ["loud"]) == []
    assert server.asked == ["base", "loud", "base"]


@pytest.mark.parametrize(("effect", "named"), [(0.0, ["tone"]), (0.01, ["tone"]), (0.5, [])])
async def test_beside_other_requests_more_than_their_noise_is_wanted(effect: float, named: list[str]) -> None:
    server = Server({"tone": effect}, 0.0, 0.02, 0.015)
    assert await without_effect(server.ask, "base", ["tone"]) == named


async def test_a_server_that_gives_no_numbers_is_not_judged() -> None:
    async def ask(model: str) -> Continuation | None:
        return None

    assert await without_effect(ask, "base", ["tone"]) == []


async def test_without_adapters_nothing_is_asked() -> None:
    server = Server({})
    assert await without_effect(server.ask, "base", []) == []
    assert server.asked == []


def test_two_questions_share_no_cache() -> None:
    assert question("m", "1")["cache_salt"] != question("m", "2")["cache_salt"]
