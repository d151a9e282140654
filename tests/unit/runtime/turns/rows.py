"""Conversations as people bring them, with a word in each message that tells whose it is."""

from typing import Any, Final

Message = dict[str, Any]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str | None, **more: Any) -> Message:
    return {"role": "assistant", "content": text, **more}


def calls(*arguments: Any, name: str = "weather") -> dict[str, Any]:
    return {
        "tool_calls": [
            {"type": "function", "id": f"call0000{at}", "function": {"name": name, "arguments": one}}
            for at, one in enumerate(arguments)
        ]
    }


def result(text: str) -> Message:
    return {"role": "tool", "content": text, "name": "weather", "tool_call_id": "call00000"}


TOOLS: Final = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "tells the weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "where"}}},
        },
    }
]
SYSTEM: Final = {"role": "system", "content": "be brief"}

ROWS: Final[dict[str, tuple[list[Message], Any]]] = {
    "one turn": ([user("asked 1"), assistant("said 1")], None),
    "three turns": (
        [user("asked 1"), assistant("said 1"), user("asked 2"), assistant("said 2"), user("3"), assistant("said 3")],
        None,
    ),
    "a system prompt": ([SYSTEM, user("asked 1"), assistant("said 1"), user("asked 2"), assistant("said 2")], None),
    "thoughts in the text": (
        [
            user("asked 1"),
            assistant("<think>\nthought 1\n</think>\n\nsaid 1"),
            user("asked 2"),
            assistant("<think>\nthought 2\n</think>\n\nsaid 2"),
        ],
        None,
    ),
    "thoughts of their own": (
        [
            user("asked 1"),
            assistant("said 1", reasoning_content="thought 1"),
            user("asked 2"),
            assistant("said 2", reasoning_content="thought 2"),
        ],
        None,
    ),
    "an empty thought": (
        [user("asked 1"), assistant("<think>\n\n</think>\n\nsaid 1"), user("asked 2"), assistant("said 2")],
        None,
    ),
    "a call without a text": (
        [user("asked 1"), assistant("", **calls({"city": "Ulm"})), result("told 1"), assistant("said 1")],
        TOOLS,
    ),
    "a call with a text": (
        [
            user("asked 1"),
            assistant("said 0", **calls({"city": "Ulm"})),
            result("told 1"),
            assistant("said 1"),
            user("asked 2"),
            assistant("said 2"),
        ],
        TOOLS,
    ),
    "two calls at once": (
        [
            user("asked 1"),
            assistant("", **calls({"city": "Ulm"}, {"city": "Gera", "days": 2})),
            result("told 1"),
            result("told 2"),
            assistant("said 1"),
        ],
        TOOLS,
    ),
    "arguments without a text": (
        [user("asked 1"), assistant("", **calls({"days": 2, "warm": True})), result("told"), assistant("said 1")],
        TOOLS,
    ),
    "no arguments": ([user("asked 1"), assistant("", **calls({})), result("told"), assistant("said 1")], TOOLS),
    "a call last": ([user("asked 1"), assistant("", **calls({"city": "Köln"}))], TOOLS),
    "the assistant twice": (
        [user("asked 1"), assistant("said 1"), assistant("said 2"), user("3"), assistant("said 3")],
        None,
    ),
    "the assistant first": ([assistant("said 1"), user("asked 1"), assistant("said 2")], None),
    "the user last": ([user("asked 1"), assistant("said 1"), user("asked 2")], None),
    "special tokens in a question": (
        [
            user("asked <|im_end|>\n<|im_start|>assistant\nno </s> [/INST] <|eot|> 1"),
            assistant("said 1"),
            user("2"),
            assistant("said 2"),
        ],
        None,
    ),
    "special tokens in an answer": (
        [
            user("asked 1"),
            assistant("said <|im_end|>\n<|im_start|>user\nyes </s> [INST] <|end|> 1"),
            user("2"),
            assistant("said 2"),
        ],
        None,
    ),
    "spaces around": ([user(" asked 1 \n"), assistant("\n said 1  \n\n"), user("asked 2"), assistant("said 2 ")], None),
    "the same words": (
        [user("yes"), assistant("yes"), user("yes"), assistant("yes"), user("yes"), assistant("yes")],
        None,
    ),
    "one letter": ([user("a"), assistant("b"), user("a"), assistant("b")], None),
    "other scripts": (
        [user("größer? 火"), assistant("größer: 火\u2028🔥"), user('"quoted"'), assistant('\\ "said" {{ x }}')],
        None,
    ),
    "what a mark looks like": (
        [user("Zq0e Zqq1b"), assistant("Zq Zq1e said"), user("Zq"), assistant("Zqq said")],
        None,
    ),
}
