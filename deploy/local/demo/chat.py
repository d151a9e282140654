"""Sends a served model one question, through both APIs of a Workspace's Service.

`/v1/chat/completions` is OpenAI's API, `/chat` the one of KAITO's first releases. Decoding is greedy, so that the same
model gives the same answer every time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

# A small model on two CPU cores writes about nine tokens a second.
ANSWER_S = 120.0
MAX_TOKENS = 32


class NoAnswer(RuntimeError):
    """The response is not what the API promises; the message has what came instead."""


class EndpointUnreachable(NoAnswer):
    """The connection was refused or closed: the pods may be starting."""


@dataclass(frozen=True)
class Answer:
    """One endpoint's answer, and how many seconds it took."""

    endpoint: str
    text: str
    seconds: float


def ask_openai(address: str, question: str) -> Answer:
    """Sends to /v1/chat/completions of http://address, for the first model served there. Raises NoAnswer."""
    with _client(address) as client:
        model = _json(client.get("/v1/models"))["data"][0]["id"]
    return ask_model(address, model, question)


def ask_model(address: str, model: str, question: str) -> Answer:
    """Sends to one of the models served at http://address, such as an adapter. Raises NoAnswer."""
    with _client(address) as client:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
        }
        response = client.post("/v1/chat/completions", json=body)
        return _answer("/v1/chat/completions", _json(response)["choices"][0]["message"]["content"], response)


def ask_kaito(address: str, question: str) -> Answer:
    """Sends to /chat of http://address. Raises NoAnswer."""
    with _client(address) as client:
        arguments = {"do_sample": False, "max_length": 128}
        response = client.post(
            "/chat", json={"prompt": question, "return_full_text": False, "generate_kwargs": arguments}
        )
        return _answer("/chat", _json(response)["Result"], response)


@contextmanager
def _client(address: str) -> Iterator[httpx.Client]:
    # Ignores the environment's proxies: the address is a Service's, which exists on this machine only.
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=ANSWER_S, trust_env=False) as client:
            yield client
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise EndpointUnreachable(f"http://{address} cannot be reached: {error}") from None
    except httpx.TimeoutException:
        raise NoAnswer(f"http://{address} has not answered within {ANSWER_S:g} s") from None


def _json(response: httpx.Response) -> Any:
    if response.status_code != 200:
        raise NoAnswer(f"{response.request.url} answered {response.status_code}: {response.text[:500]}")
    return response.json()


def _answer(endpoint: str, text: str, response: httpx.Response) -> Answer:
    if not text.strip():
        raise NoAnswer(f"{response.request.url} returned no text")
    return Answer(endpoint, text.strip(), response.elapsed.total_seconds())
