"""Strategies for data files as people bring them: each odd in some way, in every format.

Whether the odd thing is refused, left out or read is not said here: the judge and the training must agree on it.
"""

import io
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
from hypothesis import strategies as st

NAMES: Final = (
    "prompt",
    "completion",
    "input",
    "system",
    "text",
    "messages",
    "tools",
    "label",
    "history",
    "id",
    "Output",
    "output",
    "",
)
TEXTS: Final = st.one_of(
    st.sampled_from(["", " ", "None", "NA", "null", "NaN", "true", "07545", "1.50", "1e5", "[x]", "{}", "ä\U0001f600"]),
    st.text(max_size=20),
)
SCALARS: Final = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(["\ud83d", "a\udc00b"])
)
MESSAGES: Final = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool", "gpt", None]), "content": SCALARS},
        optional={"tool_calls": st.sampled_from([None, [], [{"function": {"name": "f", "arguments": '{"a": null}'}}]])},
    ),
    max_size=4,
)
TOOLS: Final = st.sampled_from([None, [], "[]", '[{"function": {"name": "f"}}]', [{"name": "f", "odd": None}], 7])
ROWS: Final = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.one_of(SCALARS, MESSAGES, TOOLS), max_size=5), max_size=6
)
FILE_NAMES: Final = st.sampled_from(["a", "more [final]", "b*", "what?", "{x,y}", "sub/c d", "100%"])


@st.composite
def json_texts(draw: st.DrawFn) -> bytes:
    """A list, objects by line or printed, with doubled keys, byte order marks, cut ends."""
    rows = draw(ROWS)
    indent = draw(st.sampled_from([None, None, 1]))
    texts = [json.dumps(row, indent=indent) for row in rows]
    if draw(st.booleans()):
        texts = [text.replace('"input"', '"output"') for text in texts]
    listed = "[" + ",".join(texts) + "]"
    text = draw(st.sampled_from(["\n".join(texts), "\r\n\n".join(texts) + "\n", listed, listed + "\n[]"]))
    cut = draw(st.sampled_from([len(text), len(text), len(text) // 2]))
    return (draw(st.sampled_from(["", "\ufeff"])) + text[:cut]).encode()


@st.composite
def csv_texts(draw: st.DrawFn) -> bytes:
    """Headers alone, doubled columns, short and long rows, quotes, other encodings."""
    names = draw(st.lists(st.sampled_from(NAMES), max_size=4))
    rows = draw(st.lists(st.lists(TEXTS, max_size=5), max_size=5))
    quote = draw(st.sampled_from(['"', ""]))
    text = "\n".join(",".join(f"{quote}{one}{quote}" for one in row) for row in [names, *rows])
    return (draw(st.sampled_from(["", "\ufeff"])) + text).encode(draw(st.sampled_from(["utf-8", "utf-16"])), "replace")


COLUMNS: Final[Mapping[str, pa.DataType]] = {
    "text": pa.string(),
    "large": pa.large_string(),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
    "map": pa.map_(pa.string(), pa.string()),
    "number": pa.float64(),
    "time": pa.timestamp("ns"),
    "null": pa.null(),
    "chat": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("name", pa.string())])),
}
_VALUES: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    **dict.fromkeys(
        ("text", "large", "dictionary"), st.one_of(st.none(), TEXTS.filter(lambda text: text.isprintable()))
    ),
    "map": st.sampled_from([None, [], [("a", "1")], [("role", "user"), ("content", "q")]]),
    "number": st.one_of(st.none(), st.floats()),
    "time": st.sampled_from([None, 1, 1_700_000_000_000_000_001]),
    "null": st.none(),
    "chat": st.sampled_from(
        [None, [], [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "name": None}]]
    ),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Columns of all types, some twice, some without a row."""
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4))
    names = [draw(st.sampled_from(NAMES)) for _ in kinds]
    count = draw(st.integers(0, 4))
    values = [draw(st.lists(_VALUES[kind], min_size=count, max_size=count)) for kind in kinds]
    return pa.table([pa.array(one, COLUMNS[kind]) for one, kind in zip(values, kinds, strict=True)], names=names)


def _parquet(table: pa.Table) -> bytes:
    written = io.BytesIO()
    pa.parquet.write_table(table, written)
    return written.getvalue()


def _arrow(table: pa.Table) -> bytes:
    written = io.BytesIO()
    opened: Callable[..., Any] = pa.ipc.new_stream
    with opened(written, table.schema) as writer:
        writer.write_table(table)
    return written.getvalue()


CONTENTS: Final = st.one_of(
    st.tuples(st.sampled_from([".json", ".jsonl"]), json_texts()),
    st.tuples(st.just(".csv"), csv_texts()),
    st.tuples(st.just(".parquet"), tables().map(_parquet)),
    st.tuples(st.just(".arrow"), tables().map(_arrow)),
    st.tuples(st.sampled_from([".json", ".jsonl", ".csv", ".parquet", ".arrow"]), st.binary(max_size=40)),
)
FILES: Final = st.dictionaries(FILE_NAMES, CONTENTS, min_size=1, max_size=3)
