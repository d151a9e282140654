"""Finds the files that prose names: in Markdown between backticks, in code and data files in docstrings and comments.

Which of them need not exist is decided in `test_prose.py`.
"""

import ast
import io
import os
import re
import tokenize
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[3]
SUFFIXES: Final = "py|md|yaml|yml|toml|jinja|json|txt"
NAME: Final = re.compile(rf"(?<![\w/.\-*<>$:@~{{}}])((?:\.{{1,2}}/)*[\w*][\w*/.\-]*\.(?:{SUFFIXES}))(?![\w/\-(]|\.\w)")
CODE_SPAN: Final = re.compile(r"`([^`\n]+)`")
COMMENT: Final = re.compile(r"^ *#(.*)$", re.M)
FENCE: Final = re.compile(r"^ *```.*?^ *```", re.M | re.S)
NOT_SOURCE: Final = {"__pycache__", "build", "dist", "results"}


class Named(NamedTuple):
    """A file's name in prose, and the file (relative to the root) that names it."""

    name: str
    where: str


def source_files() -> list[str]:
    """Every file of the repository, relative to its root; without environments, caches and what git ignores."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name[0] != "." and name not in NOT_SOURCE and "." not in name]
        found += [str((Path(folder) / name).relative_to(ROOT)) for name in files]
    return sorted(found)


@cache
def named_in(file: str) -> frozenset[str]:
    """The names in one file of the repository; none in a kind of file that has no prose."""
    if file.endswith(".md"):
        return frozenset(named_in_markdown((ROOT / file).read_text()))
    if file.endswith(".py"):
        return frozenset(named_in_code((ROOT / file).read_text()))
    if file.endswith((".yaml", ".toml", "Makefile", "Containerfile")):
        comments = COMMENT.findall((ROOT / file).read_text())
        return frozenset(name for comment in comments for name in NAME.findall(comment))
    return frozenset()


def named_in_markdown(text: str) -> set[str]:
    """Names between backticks, outside of blocks of code."""
    return {name for span in CODE_SPAN.findall(FENCE.sub("", text)) for name in NAME.findall(span)}


def named_in_code(text: str) -> set[str]:
    """Names in docstrings (of modules, classes, functions and constants) and in comments."""
    return {name for prose in _prose_of(text) for name in NAME.findall(prose)}


def exists(named: Named, files: list[str]) -> bool:
    """Whether there is such a file: beside the one that names it, or at the repository's root, or elsewhere.

    A bare name in code means a file of the same top-level folder; elsewhere a name may be the end of any path. `*`
    stands for part of a name.
    """
    beside = (ROOT / named.where).parent
    if beside.joinpath(named.name).exists() or ROOT.joinpath(named.name).exists():
        return True
    name = named.name.lstrip("./")
    room = named.where.partition("/")[0] + "/" if named.where.endswith(".py") and "/" not in name else ""
    return any(fnmatchcase("/" + file, f"*/{name}") for file in files if file.startswith(room))


def _prose_of(text: str) -> Iterator[str]:
    if not NAME.search(text):
        return  # most files name none, and need not be parsed
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
