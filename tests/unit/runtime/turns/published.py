"""The chat templates that trl ships, as the runtime environment has them: more than half of what people train."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

PYTHON: Final = Path(__file__).parents[4] / ".venv-runtime" / "bin" / "python"
_TOKEN: Final = re.compile(r"<[^<>\s'\"{}]{1,40}>|\[/?[A-Z_]{3,20}\]")
_WHERE: Final = "import importlib.util; print(importlib.util.find_spec('trl').origin)"


@cache
def published_templates() -> dict[str, str]:
    """Returns the templates by name; none where the runtime environment is not installed."""
    if not PYTHON.exists():
        return {}
    package = Path(subprocess.check_output([PYTHON, "-c", _WHERE], text=True).strip()).parent
    return {file.stem: file.read_text() for file in sorted((package / "chat_templates").glob("*.jinja"))}


def tokens_in(template: str) -> tuple[str, ...]:
    """Returns what looks like a special token in it: the tokenizers themselves are not at hand."""
    return tuple(sorted({*_TOKEN.findall(template), "<s>", "</s>"}))
