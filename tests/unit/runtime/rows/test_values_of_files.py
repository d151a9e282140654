"""What a file says is what is learnt: no value is changed or thrown away on the way, and no file by its neighbour."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.unit.runtime.rows.judging import judged, pairs, refused, rows_of


def table(file: Path, columns: dict[str, Any] | None = None, **more: Any) -> None:
    pa.parquet.write_table(pa.table({**(columns or {}), **more}), file)


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_csv_file_keeps_leading_zeros_decimals_and_labels(tmp_path: Path) -> None:
    answers = ["07545", "1.50", "20", "1", "0", "true", "FALSE", "1e5", "2024-01-02", "0x10"]
    rows = "".join(f"q{number},{answer}\n" for number, answer in enumerate(answers))
    (tmp_path / "a.csv").write_text("instruction,output\n" + rows)
    assert [answer for _, answer in pairs(tmp_path)] == answers


def test_the_answers_none_na_and_null_of_a_csv_file_are_answers(tmp_path: Path) -> None:
    answers = ["None", "NA", "null", "NaN", "N/A", "nan", "yes"]
    (tmp_path / "a.csv").write_text("instruction,output\n" + "".join(f"q,{answer}\n" for answer in answers))
    assert [answer for _, answer in pairs(tmp_path)] == answers


def test_an_empty_field_of_a_csv_file_is_no_answer_and_changes_none_of_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("instruction,output\nq,1\nq,\nq,0\n")
    assert [answer for _, answer in pairs(tmp_path)] == ["1", "0"]
    assert judged(tmp_path).warnings == ["a.csv row 2: column output is empty"]


def test_a_number_is_learnt_as_its_file_writes_it(tmp_path: Path) -> None:
    texts = ["1", "2.5", "1.50", "1e5", "-0.0", "true", "12345678901234567890", "3.14159265358979323846"]
    rows = "".join(f'{{"question": {text}, "answer": {text}}}\n' for text in texts)
    (tmp_path / "a.jsonl").write_text(rows)
    assert pairs(tmp_path) == [(text, text) for text in texts]


def test_a_number_of_hundreds_of_digits_is_learnt_too(tmp_path: Path) -> None:
    """More than a float holds; Python reads up to 4300 of them."""
    (tmp_path / "a.jsonl").write_text(f'{{"question": "2 ** 2000", "answer": {2**2000}}}\n')
    assert pairs(tmp_path) == [("2 ** 2000", str(2**2000))]


def test_a_number_as_input_is_part_of_the_question(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        lines(
            {"instruction": "Double it", "input": 7, "output": "14"},
            {"instruction": "Negate it", "input": False, "output": True},
            {"instruction": "Join them", "input": ["a", 1], "output": "a1"},
        )
    )
    assert pairs(tmp_path) == [
        ("Double it\n\n7", "14"),
        ("Negate it\n\nfalse", "true"),
        ("Join them\n\na\n\n1", "a1"),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("part-00001.jsonl", b""),
        ("part-00001.jsonl", b"\n\n"),
        ("part-00001.csv", b"prompt,completion\n"),
        ("part-00001.csv", b"colour,flavour\n"),
        ("part-00001.json", b"[]"),
        ("part-00001.json", b""),
        ("part-00001.csv", b""),
    ],
)
def test_an_empty_file_among_the_data_is_skipped(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "rows.jsonl").write_text(lines({"prompt": "a", "completion": "b"}))
    (tmp_path / name).write_bytes(content)
    assert pairs(tmp_path) == [("a", "b")]


def test_a_parquet_file_without_rows_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(lines({"prompt": "a", "completion": "b"}))
    table(tmp_path / "empty.parquet", prompt=pa.array([], pa.string()), completion=pa.array([], pa.string()))
    assert pairs(tmp_path) == [("a", "b")]


def test_a_field_that_changes_or_comes_late_ends_nothing(tmp_path: Path) -> None:
    long = "x" * 4000
    rows = [{"prompt": "a", "completion": long, "source": None} for _ in range(1500)]
    later = [
        {"prompt": "b", "completion": "c", "source": "web"},
        {"prompt": "b", "completion": "c", "source": {"of": 1}, "new": 1},
        {"prompt": "b", "completion": "c", "system": "Be brief."},
        {"prompt": "b", "input": 7, "completion": "c"},
    ]
    (tmp_path / "a.jsonl").write_text(lines(*rows, *later))
    found = rows_of(tmp_path)
    assert len(found) == 1504
    assert found[-2] == [("system", "Be brief."), ("user", "b"), ("assistant", "c")]
    assert found[-1] == [("user", "b\n\n7"), ("assistant", "c")]


def test_a_key_that_only_a_later_message_has_ends_nothing(tmp_path: Path) -> None:
    usual = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    later = [usual[0], {**usual[1], "weight": 1, "tool_calls": []}]
    (tmp_path / "a.jsonl").write_text(lines(*[{"messages": usual}] * 1500, {"messages": later}))
    assert rows_of(tmp_path) == [[("user", "q"), ("assistant", "a")]] * 1501


def test_half_of_a_character_leaves_its_row_out(tmp_path: Path) -> None:
    good = {"prompt": "a", "completion": "\U0001f600"}
    (tmp_path / "a.jsonl").write_text(lines(good, {"prompt": "a", "completion": "\ud83d"}))
    assert pairs(tmp_path) == [("a", "\U0001f600")]
    assert judged(tmp_path).warnings == ["a.jsonl row 2: column completion holds \\ud83d, which is half of a character"]


def test_a_key_that_stands_twice_leaves_its_row_out(tmp_path: Path) -> None:
    doubled = '{"prompt": "a", "completion": "first", "completion": "second"}\n'
    within = '{"prompt": [{"role": "user", "content": "a", "content": "b"}], "completion": "c"}\n'
    unused = '{"prompt": "a", "completion": "b", "id": 1, "id": 2}\n'
    (tmp_path / "a.jsonl").write_text(doubled + within + unused)
    assert pairs(tmp_path) == [("a", "b")]
    first, second = judged(tmp_path).warnings
    assert first == "a.jsonl row 1: it has the key completion more than once"
    assert second == "a.jsonl row 2: column prompt holds the key content more than once in one object"


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_an_answer_that_its_label_calls_bad_is_left_out_and_told(tmp_path: Path, kind: str) -> None:
    rows = [{"prompt": f"q{number}", "completion": f"a{number}", "label": number % 3 == 0} for number in range(12)]
    if kind == "parquet":
        pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    elif kind == "jsonl":
        (tmp_path / "a.jsonl").write_text(lines(*rows))
    else:
        texts = "".join(f"{row['prompt']},{row['completion']},{row['label']}\n" for row in rows)
        (tmp_path / "a.csv").write_text("prompt,completion,label\n" + texts)
    assert pairs(tmp_path) == [(f"q{number}", f"a{number}") for number in (0, 3, 6, 9)]
    first, *_, last = judged(tmp_path).warnings
    told = "False" if kind == "csv" else "false"
    assert first.startswith(f"a.{kind} row 2: column label is {told}, which") and "remove the column" in first
    assert last == f"a.{kind} and 3 more rows are left out"


def test_a_label_that_comes_late_counts_from_its_row_on(tmp_path: Path) -> None:
    rows = [{"prompt": "q", "completion": "a"} for _ in range(1500)]
    (tmp_path / "a.jsonl").write_text(lines(*rows, {"prompt": "b", "completion": "c", "label": False}))
    assert len(pairs(tmp_path)) == 1500


def test_data_of_bad_answers_alone_ends_before_a_purchase(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines({"prompt": "q", "completion": "a", "label": False}))
    reason, message = refused(tmp_path)
    assert reason == "DataEmpty" and "a.jsonl row 1: column label is false" in message


def doubled_columns(folder: Path, kind: str, names: list[str]) -> None:
    values = [["a"], ["b"], ["c"]]
    if kind == "csv":
        (folder / "a.csv").write_text(f"{','.join(names)}\na,b,c\n")
        return
    made = pa.table([pa.array(one) for one in values], names=names)
    if kind == "parquet":
        pa.parquet.write_table(made, folder / "a.parquet")
    else:
        with pa.ipc.new_stream(str(folder / "a.arrow"), made.schema) as writer:
            writer.write_table(made)


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
def test_a_column_that_is_there_twice_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    doubled_columns(tmp_path, kind, ["prompt", "output", "output"])
    reason, message = refused(tmp_path)
    assert reason == "DataUnreadable"
    assert f"a.{kind}: it has the column output more than once" in message


@pytest.mark.parametrize("kind", ["csv", "arrow"])
def test_columns_that_are_not_learnt_may_have_any_names(tmp_path: Path, kind: str) -> None:
    (tmp_path / "b.csv").write_text("prompt,output,,\nx,y,,\n")
    doubled_columns(tmp_path, kind, ["text", "id", "id"])
    assert len(rows_of(tmp_path)) == 2


@pytest.mark.parametrize(
    "name", ["more [final].jsonl", "a*.jsonl", "what?.jsonl", "{x,y}.jsonl", "100%.jsonl", "[!a].jsonl"]
)
def test_a_file_is_read_by_its_exact_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(lines({"prompt": "a", "completion": "b"}))
    (tmp_path / "more f.jsonl").write_text(lines({"prompt": "c", "completion": "d"}))
    assert sorted(pairs(tmp_path)) == [("a", "b"), ("c", "d")]


def test_a_map_column_is_no_obstacle_beside_the_data_and_an_object_in_it(tmp_path: Path) -> None:
    kind = pa.map_(pa.string(), pa.string())
    table(tmp_path / "a.parquet", text=pa.array(["x"]), labels=pa.array([[("a", "1"), ("a", "2")]], kind))
    message = [[("role", "user"), ("content", "q")], [("role", "assistant"), ("content", "a")]]
    table(tmp_path / "b.parquet", messages=pa.array([message], pa.list_(kind)))
    assert rows_of(tmp_path) == [[("text", "x")], [("user", "q"), ("assistant", "a")]]
    table(tmp_path / "c.parquet", text=pa.array([[("a", "1")]], kind))
    assert judged(tmp_path).warnings == [
        "c.parquet row 1: column text holds a map where text was expected; a row is one object, in pandas "
        'to_json(orient="records", lines=True)'
    ]


def test_columns_beside_the_data_are_not_even_read(tmp_path: Path) -> None:
    odd = pa.array([1_700_000_000_000_000_001], pa.timestamp("ns"))
    listed = pa.array([[1]], pa.list_view(pa.int64()))
    union = pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])])
    made = pa.table({"prompt": ["a"], "completion": ["b"], "at": odd, "listed": listed, "union": union})
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), made.schema) as writer:
        writer.write_table(made)
    assert pairs(tmp_path) == [("a", "b")]


def test_a_number_of_32_bits_has_no_digits_that_nobody_wrote(tmp_path: Path) -> None:
    numbers = [0.1, 16777216.0, 3.4e38, 1e-7, None]
    table(tmp_path / "a.parquet", prompt=["q"] * 5, completion=pa.array(numbers, pa.float32()))
    assert [answer for _, answer in pairs(tmp_path)] == ["0.1", "16777216.0", "3.4e+38", "1e-07"]


def test_times_beyond_a_calendar_are_the_files_fault(tmp_path: Path) -> None:
    made = pa.table({"text": pa.array([2**62], pa.timestamp("s"))})
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), made.schema) as writer:
        writer.write_table(made)
    assert refused(tmp_path)[0] in ("DataUnreadable", "DataEmpty")


def test_names_with_dots_are_columns(tmp_path: Path) -> None:
    table(tmp_path / "a.parquet", {"meta.source": ["web"], "reply.text": ["b"], "prompt": ["a"]})
    assert pairs(tmp_path, context_column="prompt", response_column="reply.text") == [("a", "b")]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    mark = "\ufeff"
    (tmp_path / "a.csv").write_text(f"{mark}prompt,completion\r\na,b\r\n")
    (tmp_path / "b.jsonl").write_text(mark + lines({"prompt": "c", "completion": "d"}))
    (tmp_path / "c.json").write_text(mark + '[{"prompt": "e", "completion": "f"}]')
    assert pairs(tmp_path) == [("a", "b"), ("c", "d"), ("e", "f")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", '[{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d"}]'),
        ("a.json", '{\n "prompt": "a",\n "completion": "b"\n}\n{\n "prompt": "c",\n "completion": "d"\n}\n'),
        ("a.json", '{"prompt": "a", "completion": "b"} {"prompt": "c", "completion": "d"}'),
        ("a.jsonl", '\n\n{"prompt": "a", "completion": "b"}\r\n\r\n{"prompt": "c", "completion": "d"}'),
    ],
    ids=["a list named jsonl", "printed objects", "one line", "blank lines"],
)
def test_json_is_read_as_it_is_whatever_its_ending_says(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert pairs(tmp_path) == [("a", "b"), ("c", "d")]


def test_one_printed_object_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"prompt": "a", "completion": "b"}, indent=2))
    assert pairs(tmp_path) == [("a", "b")]


@pytest.mark.parametrize("indent", [None, 1])
def test_rows_within_an_object_are_refused_with_its_key(tmp_path: Path, indent: int | None) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"version": 2, "data": [{"prompt": "a"}]}, indent=indent))
    (tmp_path / "b.jsonl").write_text(lines({"prompt": "a", "completion": "b"}))
    reason, message = refused(tmp_path)
    assert reason == "DataUnreadable"
    assert "a.json: row 1: it is one object that has a list in 'data'" in message


def test_nothing_after_a_list_is_lost_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"text": "a"}]\n[{"text": "b"}]')
    assert "'[' after the end of the list" in refused(tmp_path)[1]
