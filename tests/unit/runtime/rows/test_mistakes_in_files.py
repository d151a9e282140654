"""A mistake in a data file is told with its row, its place and what to do, however much follows it."""

from pathlib import Path
from typing import Final

import pytest

from runtime.rows.json_rows import ROW_MAX
from tests.unit.runtime.rows.judging import pairs, refused

TAB: Final = "\t"
LINES: Final = '{"text": "a"}\n' * 5
ITEMS: Final = '{"text": "a"}, ' * 5
DIGITS: Final = "9" * 5000


@pytest.mark.parametrize("size", [1, 2 * ROW_MAX], ids=["a small file", "a file of more than a row may have"])
@pytest.mark.parametrize(
    ("begins", "wrong", "words"),
    [
        ("", "{'text': 'a'}\n", "row 1: it is no JSON from its character 2 on, \"'\""),
        (LINES, "{'text': 'a'}\n", "row 6: it is no JSON from its character 2 on, \"'\""),
        (LINES, "{'text': 'a'}\n", "quotes are double ones in JSON"),
        (LINES, '\ufeff{"text": "a"}\n', "row 6: it is no JSON from its character 1 on, '\\ufeff'"),
        ('{"text": "a"\n}\n', '{"text": "a"\n"more": 1}\n', "row 2: it is no JSON from its character 14 on"),
        (f"[{ITEMS}", '{"text": "a",}, ', "row 6: it is no JSON from its character 14 on, '}'"),
        (f"[{ITEMS}", '{"text": "a",}, ', "leave out the comma before it"),
        (f"[{ITEMS}", '{"text": None}, ', "write true, false and null"),
        (f"[{ITEMS}", f'{{"text": "a{TAB}b"}}, ', "Invalid control character"),
        (f"[{ITEMS}", f'{{"text": {DIGITS}}}, ', "row 6: it has a whole number of more digits"),
        (LINES, f'{{"text": {DIGITS}}}\n', "row 6: it has a whole number of more digits"),
    ],
)  # fmt: skip
def test_a_mistake_in_json_is_told_with_its_place(
    tmp_path: Path, size: int, begins: str, wrong: str, words: str
) -> None:
    of_a_list = begins.startswith("[")
    more = f'{{"text": "{"x" * 5000}"}}' + (", " if of_a_list else "\n")
    ends = '{"text": "b"}' + ("]" if of_a_list else "\n")
    (tmp_path / f"a.json{'' if of_a_list else 'l'}").write_text(begins + wrong + more * (size // len(more)) + ends)
    reason, message = refused(tmp_path)
    assert reason == "DataUnreadable" and words in message


@pytest.mark.parametrize("cut", ['{"text": "a', '{"text": "a"', '{"text"', "{", '{"text": tr', '{"text": "a"},', ""])
def test_what_a_list_lacks_at_its_end_is_missing_and_no_mistake(tmp_path: Path, cut: str) -> None:
    (tmp_path / "a.json").write_text(f"[{ITEMS}{cut}")
    reason, message = refused(tmp_path)
    assert reason == "DataUnreadable" and "the list ends early: a part of it is missing" in message


def test_empty_lines_before_the_header_of_a_csv_file_are_no_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n\r\nprompt,completion\n\na,b\n")
    assert pairs(tmp_path) == [("a", "b")]
