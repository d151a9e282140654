"""The body of `POST /chat`, KAITO's first API: its fields, their defaults, and what is refused.

The defaults are those of KAITO's v1alpha1 server. Mapping the fields to vLLM is left to `generation.py`.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

PROMPT_REQUIRED = "Text generation parameter prompt required"
MESSAGES_REQUIRED = "Conversational parameter messages required"
HOLE = "hole"


class ChatRefused(Exception):
    """The request is refused: a 400 whose `detail` is the message."""


class Message(BaseModel):
    """One turn of a conversation. Other keys than these go to the chat template unchanged."""

    model_config = ConfigDict(frozen=True, extra="allow")

    role: Annotated[str, StringConstraints(min_length=1)]
    content: str


class GenerateKwargs(BaseModel):
    """Generation parameters by transformers' names. Further keys are allowed and checked by `generation.py`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    max_length: int = Field(200, description="Tokens of prompt and answer together.")
    min_length: int = Field(0, ge=0, description="Tokens of prompt and answer together, at least.")
    do_sample: bool = True
    early_stopping: bool = False
    num_beams: int = Field(1, ge=1)
    temperature: float = Field(1.0, ge=0)
    top_k: int = Field(10, ge=0)
    top_p: float = Field(1, gt=0, le=1)
    typical_p: float = Field(1, gt=0, le=1)
    repetition_penalty: float = Field(1, gt=0)
    pad_token_id: int | None = None
    eos_token_id: int | list[int] | None = None


class ChatRequest(BaseModel):
    """A prompt to be continued, or messages to be answered. With both, the prompt is used, as in text generation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str | None = Field(None, description="An adapter's name; KAITO had no such field.")
    prompt: str | None = None
    messages: list[Message] | None = None
    return_full_text: bool = True
    clean_up_tokenization_spaces: bool = False
    prefix: str | None = Field(None, description="Put before the prompt; not part of the answer.")
    handle_long_generation: str | None = Field(None, description='"hole": drop the oldest tokens of a long prompt.')
    generate_kwargs: GenerateKwargs = Field(default_factory=lambda: GenerateKwargs.model_validate({}))


def question(request: ChatRequest, *, as_messages: bool = False) -> str | list[dict[str, Any]]:
    """Returns the text to continue or the messages to answer. Raises ChatRefused with KAITO's own messages.

    `as_messages` is for models with a chat template, which KAITO's first server did not support: continued as plain
    text, a question to an instruct model often ends at once, without an answer. /v1/completions continues plain text.
    """
    if request.handle_long_generation not in (None, HOLE):
        raise ChatRefused(f'handle_long_generation must be "{HOLE}" or left out')
    if request.prompt:
        text = (request.prefix or "") + request.prompt
        return [{"role": "user", "content": text}] if as_messages else text
    if request.messages:
        return [message.model_dump() for message in request.messages]
    raise ChatRefused(PROMPT_REQUIRED if request.messages is None else MESSAGES_REQUIRED)


def result(request: ChatRequest, generated: str) -> str:
    """Returns the text of the answer; for a prompt, includes the prompt unless the request disables that."""
    text = cleaned_up(generated) if request.clean_up_tokenization_spaces else generated
    return request.prompt + text if request.prompt and request.return_full_text else text


def cleaned_up(text: str) -> str:
    """Removes the spaces that some tokenizers leave before punctuation and contractions."""
    for mark in (".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"):
        text = text.replace(f" {mark}", mark)
    return text.replace(" ' ", "'")
