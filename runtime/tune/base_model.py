"""Reads the model's tokenizer, stop tokens and maximum row length without loading the model or importing torch."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.configs.json_reading import read_json
from api.configs.training_sections import is_template_path
from api.pods.tune import TuneConfig
from runtime.pod.exit import CONFIG_INVALID, Failure
from runtime.tune.failures import MODEL_NOT_TUNABLE


def load_tokenizer(config: TuneConfig) -> Any:
    """Returns the tokenizer with the config's chat template and end token. Raises Failure."""
    options, trusts = config.training.training, config.training.model.trust_remote_code
    try:
        with _torch_left_away(unless=trusts):
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(config.weights_path, trust_remote_code=trusts)
    except (OSError, ValueError) as error:
        raise Failure(MODEL_NOT_TUNABLE, f"the tokenizer of {config.model} cannot be loaded: {error}") from error
    template = _template(config)
    if template is not None:
        tokenizer.chat_template = template or None
    if end := options.get("eos_token"):
        if str(end) not in tokenizer.get_vocab():
            raise Failure(CONFIG_INVALID, f"TrainingArguments.eos_token {end!r} is not a token of {config.model}")
        tokenizer.eos_token = str(end)
    return tokenizer


def changes_tokenizer(config: TuneConfig) -> bool:
    """Returns whether serving the adapter needs the tokenizer files written here."""
    return _template(config) is not None or bool(config.training.training.get("eos_token"))


def stop_tokens(config: TuneConfig, tokenizer: Any) -> list[int]:
    """Returns the tokens that end an answer when the model is served; the tokenizer's own first."""
    values = _read(Path(config.weights_path) / "generation_config.json").get("eos_token_id")
    more = values if isinstance(values, list) else [values]
    return list(dict.fromkeys(token for token in [tokenizer.eos_token_id, *more] if isinstance(token, int)))


def longest_row(config: TuneConfig) -> int:
    """Returns the maximum row length in tokens: max_length, limited by the model's own maximum."""
    values = _read(Path(config.weights_path) / "config.json")
    inner = values.get("text_config")
    text = inner if isinstance(inner, dict) else values
    positions = text.get("max_position_embeddings") or text.get("n_positions")
    asked = config.training.training.get("max_length")
    limits = [value for value in (positions, asked) if isinstance(value, int) and value > 0]
    return min(limits, default=2048)


@contextmanager
def _torch_left_away(*, unless: bool) -> Iterator[None]:
    """Blocks the import of torch. transformers imports an installed torch even for tokenizers, which costs 4 s of CPU
    on a paid machine. A tokenizer with code of its own (`unless`) may need it."""
    if unless or "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]  # as documented: its import fails then
    try:
        yield
    finally:
        del sys.modules["torch"]


def _template(config: TuneConfig) -> str | None:
    """Returns the chat template that replaces the model's own; an empty one disables templates."""
    given = config.training.model.chat_template
    path = config.training.training.get("chat_template_path")
    if path:
        return _from_file(Path(str(path)), "TrainingArguments.chat_template_path")
    if given and is_template_path(given):
        return _from_file(Path(given), "ModelConfig.chat_template")
    return given


def _from_file(path: Path, key: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(CONFIG_INVALID, f"{key}: {path} cannot be read as a template: {error}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        values = read_json(file.read_bytes())
    except FileNotFoundError:
        return {}
    return values if isinstance(values, dict) else {}
