"""Finds the chat template that a training will use, among the files of the model's tokenizer and in the config.

As transformers finds it: a file of its own comes before the tokenizer's configuration, and a conversation with tools
has the template named tool_use where there is one. What rows look like with it is left to runtime/turns.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from api.configs.json_reading import read_json
from api.configs.training_sections import is_template_path

CONFIG: Final = "tokenizer_config.json"
DEFAULT, WITH_TOOLS = "default", "tool_use"


@dataclass(frozen=True)
class ChatTemplate:
    """Templates by name, none for a model without one; texts of special tokens by name; texts that are one token."""

    by_name: Mapping[str, str]
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()

    def of(self, tools: Any) -> str | None:
        """Returns the template of a conversation with these tools; None without any."""
        return (self.by_name.get(WITH_TOOLS) if tools else None) or self.by_name.get(DEFAULT)


def chat_template_of(folder: Path, given: str | None) -> ChatTemplate:
    """Returns the template; `given` replaces the model's own, and an empty one is none. Raises OSError, ValueError."""
    config = _object(folder / CONFIG)
    added = config.get("added_tokens_decoder")
    entries = [*(added.values() if isinstance(added, dict) else ()), *_added_tokens(folder / "tokenizer.json")]
    special = _special_tokens(_object(folder / "special_tokens_map.json") | config)
    known = {text for entry in entries if (text := _text(entry))} | set(special.values())
    return ChatTemplate(_given(given) if given is not None else _own(folder, config), special, tuple(sorted(known)))


def _given(given: str) -> dict[str, str]:
    text = Path(given).read_text() if is_template_path(given) else given
    return {DEFAULT: text} if text else {}


def _own(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    found = _named(config.get("chat_template"))
    found |= _named(_object(folder / "chat_template.json").get("chat_template"))
    if (file := folder / "chat_template.jinja").is_file():
        found = {DEFAULT: file.read_text()}
    return found | {file.stem: file.read_text() for file in sorted(folder.glob("additional_chat_templates/*.jinja"))}


def _named(value: Any) -> dict[str, str]:
    """A template, or the older list of {name, template}."""
    if isinstance(value, list):
        entries = [entry for entry in value if isinstance(entry, dict)]
        return {str(entry.get("name")): str(entry.get("template")) for entry in entries}
    return {DEFAULT: value} if isinstance(value, str) and value else {}


def _special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    return {name: text for name, value in config.items() if name.endswith("_token") and (text := _text(value))}


def _added_tokens(file: Path) -> list[Any]:
    """Reads one list near the beginning of the file: the vocabulary behind it may have a million entries."""
    text = file.read_text() if file.is_file() else ""
    begins = re.search(r'"added_tokens"\s*:\s*(?=\[)', text)
    return list(json.JSONDecoder().raw_decode(text, begins.end())[0]) if begins else []


def _text(value: Any) -> str:
    """A token is its text, or an object with it."""
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else ""


def _object(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    found = read_json(file.read_bytes())
    return found if isinstance(found, dict) else {}
