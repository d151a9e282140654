"""A real model through a real server: its words are transformers' words, and KAITO's /chat works."""

from typing import Any

import pytest

from deploy.local.demo.demo import ANSWER, QUESTION
from testing.prometheus.exposed import of_others, of_text
from tests.runtime.greedy_judging import Judged, judge

pytestmark = pytest.mark.timeout(1200)

# At each of the 16 tokens after these the model is ahead of any other by 1.8 or more in log-probability, in float32 and
# in bfloat16: no rounding makes another of them.
SURE = ["1, 2, 3, 4, 5, 6,", "2, 4, 6, 8, 10, 12,"]
PROMPTS = [
    *SURE,
    "The capital of France is",
    "Once upon a time",
    "Water boils at",
    "The three primary colors are",
    "def fibonacci(n):",
    "In 1969, the first humans",
]
LENGTH = 16
SAME_AT_LEAST = 0.9
# Of a log-probability, between bfloat16 and float32: 0.17 measured over these prompts.
TOLERANCE = 0.4


def test_the_first_request_of_all_may_be_a_single_token(server: Any) -> None:
    answer = server.post("/v1/completions", {"model": "smollm2", "prompt": "a", "max_tokens": 1})
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def thoughts(server: Any, reference: Any) -> list[dict[str, list[float]]]:
    """The served continuations of PROMPTS, then those of SURE with another last token, each with the server's
    log-probabilities and what transformers thinks."""
    asked = {"model": "smollm2", "max_tokens": LENGTH, "temperature": 0, "return_token_ids": True, "logprobs": 1}
    answers = [server.post("/v1/completions", asked | {"prompt": prompt}).raise_for_status() for prompt in PROMPTS]
    served = [answer.json()["choices"][0] for answer in answers]
    spoiled = [choice | {"token_ids": [*choice["token_ids"][:-1], choice["token_ids"][-1] + 1]} for choice in served]
    everything = [*served, *spoiled[: len(SURE)]]
    said = [{"served": choice["logprobs"]["token_logprobs"]} for choice in everything]
    return [one | other for one, other in zip(said, reference(everything), strict=True)]


def test_served_greedy_tokens_are_those_of_transformers(thoughts: Any) -> None:
    right, spoiled = thoughts[: len(PROMPTS)], thoughts[len(PROMPTS) :]
    verdicts = [judge(one["deficits"], one["largest"]) for one in right]
    asked = sum(len(one["deficits"]) for one in right)
    assert asked > LENGTH * len(PROMPTS) / 2
    assert [verdict.others for verdict in verdicts] == [()] * len(PROMPTS), right
    assert sum(verdict.same for verdict in verdicts) >= SAME_AT_LEAST * asked, right
    assert verdicts[: len(SURE)] == [Judged(same=LENGTH, ties=0, others=())] * len(SURE)
    # Shows that the comparison tells right from wrong.
    wrong = Judged(same=LENGTH - 1, ties=0, others=(LENGTH - 1,))
    assert [judge(one["deficits"], one["largest"]) for one in spoiled] == [wrong] * len(SURE)


def test_served_log_probabilities_are_those_of_transformers(thoughts: Any) -> None:
    for one in thoughts[: len(PROMPTS)]:
        assert one["served"] == pytest.approx(one["logprobs"], abs=TOLERANCE)


def test_a_question_gets_its_answer_from_both_apis(server: Any) -> None:
    question = [{"role": "user", "content": QUESTION}]
    body = {"model": "smollm2", "messages": question, "temperature": 0, "max_tokens": 16}
    openai = server.post("/v1/chat/completions", body).raise_for_status().json()
    kaito = server.post("/chat", {"messages": question, "generate_kwargs": {"do_sample": False}}).raise_for_status()
    assert openai["choices"][0]["message"]["content"] == kaito.json()["Result"]
    assert ANSWER in kaito.json()["Result"]


def test_chat_answers_a_prompt_and_repeats_it_as_kaito_does(server: Any) -> None:
    question = QUESTION
    kwargs = {"do_sample": False}
    answer = server.post("/chat", {"prompt": question, "generate_kwargs": kwargs}).raise_for_status().json()["Result"]
    assert answer.startswith(question)
    assert ANSWER in answer.removeprefix(question)


def test_chat_gives_the_answer_alone_when_asked_for(server: Any) -> None:
    body = {"prompt": QUESTION, "return_full_text": False}
    answer = server.post("/chat", body | {"generate_kwargs": {"do_sample": False, "max_new_tokens": 3}})
    assert answer.json() == {"Result": "The capital of"}


def test_the_same_seed_gives_the_same_text(server: Any) -> None:
    body = {"prompt": "Once upon a time", "generate_kwargs": {"max_new_tokens": 8, "seed": 7}}
    first, second = (server.post("/chat", body).json() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "Text generation parameter prompt required"),
        ({"messages": []}, 400, "Conversational parameter messages required"),
        ({"prompt": 3}, 422, "valid string"),
        ({"prompt": "a", "generate_kwargs": {"num_beams": 4}}, 400, "num_beams"),
        ({"prompt": "a", "generate_kwargs": {"max_length": 1}}, 400, "max_length"),
        ({"prompt": "a", "generate_kwargs": {"stop_strings": 5}}, 400, "stop"),
        ({"prompt": "a", "model": "nobody"}, 400, "nobody"),
        ({"prompt": "word " * 9000}, 400, "tokens"),
    ],
    ids=["nothing", "no messages", "wrong type", "beams", "too short", "bad stop", "unknown model", "too long"],
)
def test_what_cannot_be_answered_is_refused_with_a_detail(server: Any, body: Any, status: int, words: str) -> None:
    answer = server.post("/chat", body)
    assert answer.status_code == status, answer.text
    assert words in str(answer.json()["detail"])
    assert server.get("/health").is_success


def test_a_long_prompt_is_shortened_when_asked_for(server: Any) -> None:
    body = {"prompt": "word " * 9000, "handle_long_generation": "hole", "return_full_text": False}
    answer = server.post("/chat", body | {"generate_kwargs": {"max_new_tokens": 2}})
    assert answer.status_code == 200, answer.text


def test_logprobs_work_without_a_compiled_model(server: Any) -> None:
    body = {"model": "smollm2", "prompt": "The capital of France is", "max_tokens": 2, "logprobs": 3}
    assert server.post("/v1/completions", body).status_code == 200


def test_structured_output_works_without_triton(server: Any) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    response_format = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    question = [{"role": "user", "content": "Give a number as JSON."}]
    body = {"model": "smollm2", "messages": question, "max_tokens": 24, "temperature": 0}
    answer = server.post("/v1/chat/completions", body | {"response_format": response_format})
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"].lstrip().startswith("{")


def test_the_server_says_that_it_runs_and_what_it_measures(server: Any) -> None:
    assert server.get("/").json() == {"message": "Server is running"}
    assert server.get("/healthz").json() == {"status": "Healthy"}
    assert "vllm:num_requests_running" in server.get("/metrics").text


def test_no_file_of_the_pod_is_needed_but_the_config_and_the_weights(server: Any) -> None:
    cache = server.config.weights_path.rsplit("/", 1)[0] + "/.cache"
    assert f"{cache}/vllm" in " ".join(str(path) for path in _folders(cache))


def _folders(path: str) -> list[Any]:
    from pathlib import Path

    return [folder for folder in Path(path).iterdir() if folder.is_dir()]


def test_the_server_reports_what_dashboards_read(server: Any) -> None:
    exposed, wanted = of_text(server.get("/metrics").raise_for_status().text), of_others("vllm")
    assert {name for name, labels in wanted.items() if not labels <= exposed.get(name, frozenset())} == set()
