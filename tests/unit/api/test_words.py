"""Words of others reach nobody's terminal, page or history but as words."""

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from api.words import MESSAGE_MAX, bounded, one_line, plain_markdown


def test_an_escape_sequence_does_not_reach_a_terminal() -> None:
    assert bounded("pod \x1b]0;owned\x07\x1b[2J is \x9b31mready") == "pod  ]0;owned  [2J is  31mready"


def test_bidirectional_controls_and_characters_without_width_do_not_reach_a_reader() -> None:
    assert bounded("rlo\u202eyps lri\u2066 zero\u200bwidth\ufeff tag\U000e0041") == "rlo yps lri  zero width  tag "


def test_words_of_every_language_stay() -> None:
    text = "Ärger: 容量不足, ошибка, خطأ (2 of 3) § 5 µs"
    assert bounded(text) == one_line(text) == text


def test_a_line_cannot_be_taken_for_one_of_ours() -> None:
    assert one_line("oops\n  phase      Ready\r\n\u2028x") == "oops phase Ready x"
    assert bounded("first\n\tsecond") == "first\n\tsecond"


def test_a_megabyte_does_not_reach_a_history() -> None:
    assert len(bounded("é" * 2**20)) == MESSAGE_MAX and bounded("x" * 2**20).endswith("x…")
    assert bounded("x" * MESSAGE_MAX) == "x" * MESSAGE_MAX


def test_a_link_does_not_become_one_in_markdown() -> None:
    found = plain_markdown("see [docs](https://evil.example/)\n# **now** <img src=x> `a|b`")
    assert found == (r"see \[docs\](https\://evil.example/) # \*\*now\*\* \<img src=x\> \`a\|b\`")


@given(st.text(alphabet=st.characters(), max_size=50))
def test_nothing_unseen_is_left_and_a_second_time_changes_nothing(text: str) -> None:
    found = bounded(text, 20)
    assert bounded(found, 20) == found and len(found) <= 20
    assert all(one in "\n\t" or unicodedata.category(one)[0] != "C" for one in found)
    found.encode(sys.getfilesystemencoding())
