"""Whether a model has a chat template, from its files: then a lone prompt is a question, otherwise text to continue.

Looks where transformers keeps templates: a file of its own, or a key of the tokenizer's configuration.
"""

import json
from pathlib import Path

TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
TOKENIZER_CONFIG = "tokenizer_config.json"


def has_chat_template(model: str | Path, given: str | None = None) -> bool:
    """True for a template that the user gave or that the model's folder holds. Raises ValueError for broken JSON."""
    folder = Path(model)
    if given or any((folder / name).is_file() for name in TEMPLATE_FILES):
        return True
    config = folder / TOKENIZER_CONFIG
    return config.is_file() and bool(json.loads(config.read_text()).get("chat_template"))
