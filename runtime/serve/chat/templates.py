"""Detects whether a model has a chat template: if so, a single prompt is a question, otherwise text to continue.

Checks where transformers stores templates: a separate file, or a key of the tokenizer's configuration.
"""

from pathlib import Path

from api.configs.json_reading import read_json

TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
TOKENIZER_CONFIG = "tokenizer_config.json"


def has_chat_template(model: str | Path, given: str | None = None) -> bool:
    """Returns True for a template given by the user or in the model's folder. Raises ValueError for invalid JSON."""
    folder = Path(model)
    if given or any((folder / name).is_file() for name in TEMPLATE_FILES):
        return True
    config = folder / TOKENIZER_CONFIG
    return config.is_file() and bool(read_json(config.read_text()).get("chat_template"))
