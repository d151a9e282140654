"""Words of others, such as pods, registries, clouds and tenants, before they are shown or kept.

Whoever writes them may be hostile: an escape sequence rewrites a terminal, a bidirectional control reorders what a
person reads, a long text fills histories, and Markdown becomes a link. What the words mean is left to those who pass
them on.
"""

import re
import unicodedata
from typing import Final

MESSAGE_MAX: Final = 4000
"""Characters of one message. A status with all its conditions, and a history with all its failures, hold many."""
_KEPT: Final = "\n\t"
_UNSEEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode's categories of controls, of formats (among them all bidirectional controls and characters without width),
surrogates, private and unassigned characters, and separators of lines and paragraphs."""
_MARKDOWN = re.compile(r"[\\`*_\[\]<>|~]|:(?=//)")


def bounded(text: str, most: int = MESSAGE_MAX) -> str:
    """At most `most` characters, without any that cannot be seen; lines stay lines. Of its own result the same."""
    seen = text if text.isascii() and text.isprintable() else "".join(map(_seen, text[: most + 1]))
    return seen if len(text) <= most else f"{seen[: most - 1]}…"


def one_line(text: str) -> str:
    """As `bounded`, in one line: what begins another one could be taken for a line of ours."""
    return " ".join(bounded(text).split())


def plain_markdown(text: str) -> str:
    """One line whose characters mean nothing in Markdown."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


def _seen(character: str) -> str:
    if character.isascii() and (character.isprintable() or character in _KEPT):
        return character
    return " " if unicodedata.category(character) in _UNSEEN else character
