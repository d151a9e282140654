"""What the assistant says in a template with `{% generation %}` marks: the text between them, as it is rendered.

An answer by other means than runtime/turns has, which does not look at the marks.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser

BEGIN, END = "\x01", "\x02"
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


class Marked(NamedTuple):
    text: str
    said: list[str]


class _Shown(Extension):
    tags = {"generation"}  # noqa: RUF012  # as the library declares it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_show"), [], [], body).set_lineno(line)

    def _show(self, caller: Any) -> str:
        return f"{BEGIN}{caller()}{END}"


def said_by_marks(template: str, messages: Sequence[dict[str, Any]], tools: Any = None) -> Marked:
    """Returns the text and the pieces between the marks. Raises jinja2's errors where the template refuses it."""
    text = _compiled(template).render(
        messages=messages, tools=tools or None, add_generation_prompt=False, **SPECIAL_TOKENS
    )
    return Marked(re.sub(f"[{BEGIN}{END}]", "", text), re.findall(f"{BEGIN}([^{BEGIN}{END}]*){END}", text))


@cache
def _compiled(template: str) -> jinja2.Template:
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, extensions=[_Shown, loopcontrols])
    environment.filters["tojson"] = lambda value, ensure_ascii=False, indent=None: json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent
    )
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)
