"""Renders a chat template without the model's tokenizer: what judges data has the template's text and little else.

The environment is that of transformers, so that what is judged here is what is trained on: sandboxed, with its
extensions, filters and functions. tests/unit/runtime/turns/test_published_templates.py compares both.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from api.pods.training_rows import Message, RowUnusable
from runtime.turns.places import Render


class TemplateInvalid(ValueError):
    """The text is no template; the message has the place."""


def refused(error: Exception) -> RowUnusable:
    """The same words wherever a template refuses a row."""
    return RowUnusable(f"the chat template refuses it: {error}")


def rendering(template: str, special_tokens: Mapping[str, str]) -> Render:
    """Returns what renders with this template. `special_tokens`: such as bos_token, by name. Raises TemplateInvalid."""
    try:
        compiled = _environment().from_string(template)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateInvalid(f"line {error.lineno}: {error.message}") from error

    def render(messages: Sequence[Message], tools: Any, asks: bool) -> str:
        values = {"messages": list(messages), "tools": tools or None, "documents": None, "add_generation_prompt": asks}
        try:
            return compiled.render(**special_tokens, **values)
        except Exception as error:  # a template is a program and may raise anything
            raise refused(error) from error

    return render


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


class _Generation(Extension):
    """{% generation %} marks what a model says. It is rendered as if the marks were not there."""

    tags = {"generation"}  # noqa: RUF012  # as the library declares it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller: Any) -> str:
        return str(caller())


def _to_json(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Unlike Jinja's, without escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)
