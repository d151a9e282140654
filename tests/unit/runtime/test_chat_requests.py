"""KAITO's /chat: its body, its words of refusal, and what its arguments mean for vLLM."""

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.serve.chat.generation import completion_fields, shortened
from runtime.serve.chat.request import (
    MESSAGES_REQUIRED,
    PROMPT_REQUIRED,
    ChatRefused,
    ChatRequest,
    GenerateKwargs,
    question,
    result,
)


def fields(
    prompt_tokens: int = 10, model_len: int = 1000, defaults: dict[str, Any] | None = None, **kwargs: Any
) -> Any:
    given = GenerateKwargs.model_validate(kwargs)
    return completion_fields(given, prompt_tokens=prompt_tokens, model_len=model_len, model_defaults=defaults or {})


def a_request(**body: Any) -> ChatRequest:
    return ChatRequest.model_validate(body)


def test_a_prompt_is_continued_and_comes_back_with_its_continuation() -> None:
    request = a_request(prompt="Paris")
    assert question(request) == "Paris"
    assert result(request, " is big.") == "Paris is big."


def test_the_continuation_comes_alone_when_asked_for() -> None:
    assert result(a_request(prompt="Paris", return_full_text=False), " is big.") == " is big."


def test_a_prefix_is_read_and_does_not_come_back() -> None:
    request = a_request(prompt="Paris", prefix="In French: ")
    assert question(request) == "In French: Paris"
    assert result(request, ".") == "Paris."


def test_messages_are_answered_without_being_repeated() -> None:
    request = a_request(messages=[{"role": "user", "content": "hi"}])
    assert question(request) == [{"role": "user", "content": "hi"}]
    assert result(request, "hello") == "hello"


@pytest.mark.parametrize(
    ("body", "words"),
    [({}, PROMPT_REQUIRED), ({"prompt": ""}, PROMPT_REQUIRED), ({"messages": []}, MESSAGES_REQUIRED)],
)
def test_a_missing_question_is_refused_with_kaitos_message(body: dict[str, Any], words: str) -> None:
    with pytest.raises(ChatRefused, match=f"^{words}$"):
        question(a_request(**body))


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": 3},
        {"messages": "hi"},
        {"messages": [{"role": "user"}]},
        {"prompt": "a", "generate_kwargs": {"temperature": -1}},
        {"prompt": "a", "generate_kwargs": {"top_p": 0}},
        {"prompt": "a", "generate_kwargs": {"max_length": "many"}},
        {"prompt": "a", "generate_kwargs": {"repetition_penalty": 0}},
    ],
)
def test_a_body_of_the_wrong_shape_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_request(**body)


def test_spaces_before_punctuation_go_when_asked_for() -> None:
    request = a_request(prompt="a", return_full_text=False, clean_up_tokenization_spaces=True)
    assert result(request, "I do n't , you 're .") == "I don't, you're."


def test_max_length_counts_prompt_and_answer() -> None:
    assert fields(prompt_tokens=50)["max_tokens"] == 150
    assert fields(prompt_tokens=50, max_new_tokens=7)["max_tokens"] == 7


def test_the_answer_never_runs_over_the_models_context() -> None:
    assert fields(prompt_tokens=90, model_len=100)["max_tokens"] == 10


def test_min_length_counts_prompt_and_answer() -> None:
    assert fields(prompt_tokens=10, min_length=15)["min_tokens"] == 5
    assert fields(prompt_tokens=10, min_length=5)["min_tokens"] == 0


def test_without_sampling_the_most_likely_token_is_taken() -> None:
    found = fields(do_sample=False, temperature=0.7, top_k=5)
    assert found["temperature"] == 0
    assert "top_k" not in found


def test_the_request_wins_over_the_model_and_the_model_over_kaitos_defaults() -> None:
    found = fields(defaults={"temperature": 0.6, "top_k": 20}, temperature=0.9)
    assert (found["temperature"], found["top_k"], found["top_p"]) == (0.9, 20, 1)


def test_kaitos_defaults_are_those_of_its_server() -> None:
    assert fields() == {
        "max_tokens": 190,
        "min_tokens": 0,
        "temperature": 1.0,
        "top_k": 10,
        "top_p": 1,
        "repetition_penalty": 1,
    }


def test_further_arguments_of_transformers_are_understood() -> None:
    found = fields(eos_token_id=2, stop_strings=["."], seed=7, min_p=0.1)
    assert (found["stop_token_ids"], found["stop"], found["seed"], found["min_p"]) == ([2], ["."], 7, 0.1)


@pytest.mark.parametrize("neutral", [{"num_beams": 1}, {"typical_p": 1}, {"length_penalty": 2.0}, {"use_cache": True}])
def test_arguments_that_change_nothing_are_accepted(neutral: dict[str, Any]) -> None:
    assert fields(**neutral) == fields()


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"num_beams": 4}, "num_beams = 4 is not supported"),
        ({"typical_p": 0.5}, "typical_p"),
        ({"no_repeat_ngram_size": 2}, "no_repeat_ngram_size"),
        ({"temprature": 1}, "temprature is not known"),
        ({"max_length": 10}, "raise max_length"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"min_length": 300}, "at most 190"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(kwargs: dict[str, Any], words: str) -> None:
    with pytest.raises(ChatRefused, match=words):
        fields(**kwargs)


def test_a_prompt_that_fills_the_context_is_refused() -> None:
    with pytest.raises(ChatRefused, match="shorten it"):
        fields(prompt_tokens=1000)


def test_a_long_prompt_loses_its_oldest_tokens_when_asked_for() -> None:
    kwargs = GenerateKwargs.model_validate({"max_new_tokens": 20})
    assert shortened(list(range(200)), kwargs, 100) == list(range(120, 200))
    assert shortened(list(range(50)), kwargs, 100) == list(range(50))


def test_only_one_way_of_handling_long_prompts_is_known() -> None:
    with pytest.raises(ChatRefused, match="hole"):
        question(a_request(prompt="a", handle_long_generation="wrap"))
