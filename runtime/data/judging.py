"""Judges rows by the chat template of the model that will be trained: what of a row it renders, and what it leaves out.

The tokenizer's files come beside the data; runtime/turns reads rows with them as the training will. Rows of texts need
no template.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from api.pods.data import DataConfig
from api.pods.training_rows import Example
from api.pods.weights import COMPLETE_MARKER
from runtime.data.chat_template import ChatTemplate, chat_template_of
from runtime.data.failures import TOKENIZER_MISSING
from runtime.pod.exit import CONFIG_INVALID, Failure
from runtime.turns.conversations import Conversations
from runtime.turns.marks import Part
from runtime.turns.plain import plain_conversation
from runtime.turns.template import TemplateInvalid, rendering

Judge = Callable[[Example], tuple[Part, ...]]
"""Returns the parts of a row that will not be learnt or seen. Raises RowUnusable."""
LOOK_S: Final = 0.5


def judge_of(config: DataConfig) -> Judge:
    """Waits for the tokenizer's files and returns the judge; one that is content where no files were promised. Raises
    Failure."""
    if config.tokenizer_folder is None:
        return lambda example: ()
    folder = Path(config.tokenizer_folder)
    _wait(folder / COMPLETE_MARKER, config.tokenizer_deadline_s)
    try:
        return _Judging(chat_template_of(folder, config.chat_template)).lost
    except (OSError, ValueError, TemplateInvalid) as error:
        raise Failure(CONFIG_INVALID, f"the chat template cannot be used: {error}") from error


def _wait(marker: Path, deadline_s: float) -> None:
    ends = time.monotonic() + deadline_s
    while not marker.exists():
        if time.monotonic() > ends:
            words = f"the tokenizer's files are not there after {deadline_s:.0f} s"
            raise Failure(TOKENIZER_MISSING, f"{words}: see the log of the container tokenizer")
        time.sleep(LOOK_S)


class _Judging:
    def __init__(self, template: ChatTemplate) -> None:
        self._template = template
        self._conversations = {
            text: Conversations(rendering(text, template.special_tokens), template.tokens)
            for text in template.by_name.values()
        }

    def lost(self, example: Example) -> tuple[Part, ...]:
        if not example.messages:
            return ()
        text = self._template.of(example.tools)
        if text is None:
            return plain_conversation(example)[1]
        return self._conversations[text].read(example).lost
