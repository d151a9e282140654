"""Messages of training data, brought into one form: what their writers mean alike, each writes another way.

A message becomes {role, content, ...} with text as content; the arguments of a tool call a mapping, `tools` a list of
mappings. Pure, standard library only. How a template renders them is left to `runtime.tune`.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from api.pods.training_values import RowUnusable, decoded, is_false, plain, text_of

Message = dict[str, Any]

_ROLES: Final = {
    **{name: "user" for name in ("user", "human")},
    **{name: "assistant" for name in ("assistant", "gpt", "bot", "model", "ai", "chatgpt", "chatbot")},
    **{name: "tool" for name in ("tool", "function", "observation")},
    **{name: name for name in ("system", "developer")},
}
"""Of OpenAI's API and of ShareGPT's files; upper and lower case are the same."""
_CALL: Final = "function_call"
"""The role of ShareGPT's files for a call of a tool, whose text is the call as JSON."""
_TEXT_PARTS: Final = ("text", "input_text", "output_text")
THOUGHTS: Final = ("reasoning_content", "reasoning", "thinking")
"""Keys of a message that hold what the assistant thought, each of some family of templates."""


_MARKS: Final = ("weight", "train")
"""Keys of a message of the assistant that say whether it is learnt: OpenAI's, whose 0 is no, and axolotl's."""


def is_learnt(message: Message) -> bool:
    """Returns whether a message of the assistant is to be learnt, as far as its writer says."""
    return not any(is_false(message.get(name)) for name in _MARKS)


def messages_of(value: Any, column: str) -> list[Message]:
    """Returns the messages, without an empty one of the system. Raises RowUnusable."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = decoded(value, column, "the messages are text that is")
    if not isinstance(value, list | tuple) or not value:
        raise RowUnusable(f"column {column} is {'empty' if not value else 'not a list of messages'}")
    found = [_message(entry, column) for entry in plain(value, column)]
    return [message for message in found if message is not None]


def history_of(value: Any, column: str) -> list[Message]:
    """Returns the turns before a question, from pairs of texts or from messages; none from what is no list. Raises
    RowUnusable."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = decoded(value, column, "the turns are text that is")
    entries = plain(value, column) if isinstance(value, list | tuple) else []
    return [message for entry in entries for message in _turns(entry, column)]


def tools_of(value: Any, column: str) -> list[dict[str, Any]] | None:
    """Returns the tools that a conversation offers, from a list, one tool, or JSON text of either; None without any.
    Raises RowUnusable."""
    value = _out_of_text(plain(value, column), column, "the tools are text that is")
    entries = [value] if isinstance(value, Mapping) else value
    if not entries:
        return None
    if not isinstance(entries, list | tuple):
        raise RowUnusable(f"column {column} holds {type(value).__name__} where a list of tools was expected")
    tools = [_out_of_text(entry, column, "a tool is text that is") for entry in entries]
    if not all(isinstance(tool, Mapping) for tool in tools):
        raise RowUnusable(f"column {column} holds a tool that is no object")
    return [dict(tool) for tool in tools]


def said(message: Message) -> str:
    """Returns all text of a message that a model reads or learns, its calls of tools included."""
    calls = [call["function"] for call in message.get("tool_calls", ())]
    return "\n".join(
        [
            *(str(message[name]) for name in THOUGHTS if name in message),
            message["content"],
            *(f"{call['name']} {json.dumps(call['arguments'], ensure_ascii=False)}" for call in calls),
        ]
    ).strip("\n")


def _turns(entry: Any, column: str) -> list[Message]:
    if isinstance(entry, list) and len(entry) == 2:
        texts = zip(("user", "assistant"), (text_of(one, column) for one in entry), strict=True)
        return [{"role": role, "content": text} for role, text in texts if text.strip()]
    message = _message(entry, column)
    return [] if message is None else [message]


def _message(entry: Any, column: str) -> Message | None:
    """The older {from, value} is understood. None for a message of the system that says nothing."""
    if not isinstance(entry, Mapping):
        raise RowUnusable(f"column {column} holds {type(entry).__name__} where a message was expected")
    fields = dict(entry)
    roles = [fields.pop(name, None) for name in ("role", "from")]
    contents = [fields.pop(name, None) for name in ("content", "value")]
    role = next((one for one in roles if one), None)
    if not isinstance(role, str):
        raise RowUnusable(f"column {column} holds a message without role")
    content = _content(next((one for one in contents if one is not None), None), column)
    if role.strip().lower() == _CALL:
        role, content, fields["function_call"] = "assistant", "", content
    role = _ROLES.get(role.strip().lower(), role)
    if calls := _calls(fields, column):
        fields["tool_calls"] = calls
    if not content.strip() and not calls and role != "tool" and not any(fields.get(name) for name in THOUGHTS):
        if role in ("system", "developer"):
            return None
        raise RowUnusable(f"column {column} holds a message without content, of {role}")
    return {"role": role, "content": content, **fields}


def _content(value: Any, column: str) -> str:
    """The text of a content: of OpenAI's parts those of text, one after the other. Others are refused by name."""
    parts = [value] if isinstance(value, Mapping) else value
    if not isinstance(parts, list):
        return text_of(value, column)
    return "".join(_part(part, column) for part in parts if part is not None)


def _part(part: Any, column: str) -> str:
    if not isinstance(part, Mapping):
        return text_of(part, column)
    kind = str(part.get("type") or ("text" if "text" in part else next(iter(part), "none")))
    if kind not in _TEXT_PARTS:
        raise RowUnusable(f"column {column} holds a part of type {kind[:40]}, and only text is learnt")
    return text_of(part.get("text"), column)


def _calls(fields: dict[str, Any], column: str) -> list[dict[str, Any]]:
    """Takes the calls of tools out of a message's fields; the older `function_call` is one of them."""
    calls = _out_of_text(fields.pop("tool_calls", None), column, "tool_calls are text that is")
    older = fields.pop("function_call", None)
    if not calls:
        calls = [older] if older else []
    if not isinstance(calls, list):
        raise RowUnusable(f"column {column} holds {type(calls).__name__} where a list of tool_calls was expected")
    return [_call(_out_of_text(call, column, "a tool call is text that is"), column) for call in calls]


def _call(call: Any, column: str) -> dict[str, Any]:
    """As {type, function: {name, arguments}, ...}; also from the function alone."""
    fields = dict(call) if isinstance(call, Mapping) else {}
    function = fields.pop("function", None)
    if not isinstance(function, Mapping):
        function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise RowUnusable(f"column {column} holds a tool call without a name")
    what = f"the arguments of the call of {name[:60]} are"
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        arguments = decoded(arguments, column, what) if arguments.strip() else {}
    if not isinstance(arguments, Mapping | None):
        raise RowUnusable(f"column {column}: {what} no JSON object")
    made = {**function, "arguments": dict(arguments or {})}
    return {"type": "function", **fields, "function": made}


def _out_of_text(value: Any, column: str, what: str) -> Any:
    """The value that a JSON text has; every other value as it is."""
    if not isinstance(value, str):
        return value
    return decoded(value, column, what) if value.strip() else None
