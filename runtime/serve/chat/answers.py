"""Answers one /chat request with vLLM's own handlers: tokenize, then complete the tokens.

The prompt is passed as tokens, because its length must be known first: KAITO's max_length includes it.
"""

from typing import Any

from fastapi import Request
from starlette.datastructures import State
from vllm.engine.protocol import EngineClient
from vllm.entrypoints.openai.completion.protocol import CompletionRequest
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.tokenize.protocol import TokenizeChatRequest, TokenizeCompletionRequest
from vllm.exceptions import VLLMClientError

from runtime.serve.chat.generation import completion_fields, shortened
from runtime.serve.chat.request import HOLE, ChatRefused, ChatRequest, question, result
from runtime.serve.chat.templates import has_chat_template

BAD_REQUEST = range(400, 500)


class Answering:
    """Bound to one API server's state; `state` holds vLLM's handlers."""

    def __init__(self, engine_client: EngineClient, state: State, chat_template: str | None = None) -> None:
        self._state = state
        self._answers_prompts = has_chat_template(engine_client.model_config.tokenizer, chat_template)
        self._model_len: int = engine_client.model_config.max_model_len
        self._model_defaults: dict[str, Any] = engine_client.model_config.get_diff_sampling_param()

    async def answer(self, request: ChatRequest, raw_request: Request) -> str:
        """Returns the text for "Result". Raises ChatRefused for unsupported requests, RuntimeError if vLLM fails."""
        try:
            return await self._answer(request, raw_request)
        except (VLLMClientError, ValueError) as error:
            raise ChatRefused(str(error)) from error

    async def _answer(self, request: ChatRequest, raw_request: Request) -> str:
        tokens = await self._tokens(request, raw_request)
        if request.handle_long_generation == HOLE:
            tokens = shortened(tokens, request.generate_kwargs, self._model_len)
        fields = completion_fields(
            request.generate_kwargs,
            prompt_tokens=len(tokens),
            model_len=self._model_len,
            model_defaults=self._model_defaults,
        )
        completion = CompletionRequest(model=self._model(request), prompt=tokens, **fields)
        answer = _checked(await self._state.openai_serving_completion.create_completion(completion, raw_request))
        return result(request, answer.choices[0].text)

    async def _tokens(self, request: ChatRequest, raw_request: Request) -> list[int]:
        asked = question(request, as_messages=self._answers_prompts)
        wanted = (
            TokenizeCompletionRequest(model=self._model(request), prompt=asked)
            if isinstance(asked, str)
            else TokenizeChatRequest(model=self._model(request), messages=asked)
        )
        answer = _checked(await self._state.serving_tokenization.create_tokenize(wanted, raw_request))
        return list(answer.tokens)

    def _model(self, request: ChatRequest) -> str:
        return request.model or str(self._state.openai_serving_models.base_model_paths[0].name)


def _checked(answer: Any) -> Any:
    """Raises the errors that vLLM's handlers return instead of raising."""
    if not isinstance(answer, ErrorResponse):
        return answer
    if answer.error.code in BAD_REQUEST:
        raise ChatRefused(answer.error.message)
    raise RuntimeError(answer.error.message)
