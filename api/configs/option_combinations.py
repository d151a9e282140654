"""Options of vLLM that cannot stand beside each other, and paths of KAITO's own image. Pure.

Single options are judged in `inference.py` and `option_classes.py`; what depends on the model, in `presets`.
Source: vLLM 0.32, `validate_parsed_serve_args`, which ends the server.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from api.configs.problem import Problem, shown

KAITO_TEMPLATES: Final = "/workspace/chat_templates/"
"""Where KAITO's image has chat templates; its guide to tool calls names them by these paths."""
_KEY: Final = "chat-template"
_NOT_THERE: Final = (
    "is accepted and not acted on: the file is of KAITO's image. The model's own template is used, and its tool-call-"
    "parser is set; where that is not enough, put the template's text here"
)


def combination_problems(options: Mapping[str, JsonValue]) -> Iterator[Problem]:
    """What vLLM refuses of options that are fine each by itself: (option, sentence)."""
    if options.get("enable-log-outputs") is True and options.get("enable-log-requests") is not True:
        yield "enable-log-outputs", "needs enable-log-requests: true beside it; set that, or leave it out"
    if options.get("enable-per-request-metrics") is True and options.get("disable-log-stats") is True:
        yield "enable-per-request-metrics", "needs the statistics: leave disable-log-stats out, or this one"
    interval = options.get("sse-keep-alive-interval")
    if isinstance(interval, int | float) and interval < 0:
        yield "sse-keep-alive-interval", f"must be 0 (off) or more, not {shown(interval)}"


def without_kaitos_templates(
    section: Mapping[str, JsonValue],
) -> tuple[Mapping[str, JsonValue], list[tuple[str, str]]]:
    """The section without paths of KAITO's templates, and a note on each: (key, sentence)."""
    paths = [
        key
        for key, value in section.items()
        if key.strip().lstrip("-").replace("_", "-") == _KEY
        and isinstance(value, str)
        and value.strip().startswith(KAITO_TEMPLATES)
        and value.strip().endswith(".jinja")
    ]
    return {key: value for key, value in section.items() if key not in paths}, [(key, _NOT_THERE) for key in paths]
