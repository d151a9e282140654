"""Reads the Containerfile: which of its stages one target is made of, so that an image is told apart by those alone."""

import re

_STAGE = re.compile(r"^FROM (?P<below>\S+) AS (?P<name>\S+)$", re.MULTILINE)
_COPIED = re.compile(r"^COPY --from=(\S+)", re.MULTILINE)


def stages_of(text: str, target: str) -> str:
    """The text of every stage that `target` needs, in the file's order, and what stands before the first, no comments.

    Raises KeyError for a target that the file does not have.
    """
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    begins = list(_STAGE.finditer(text))
    ends = [*(match.start() for match in begins[1:]), len(text)]
    stages = {
        match["name"]: (match["below"], text[match.start() : end]) for match, end in zip(begins, ends, strict=True)
    }
    needed, open_ = set[str](), [target]
    while open_:
        name = open_.pop()
        below, body = stages[name]
        needed.add(name)
        open_ += [other for other in (below, *_COPIED.findall(body)) if other in stages and other not in needed]
    return text[: begins[0].start()] + "".join(body for name, (_, body) in stages.items() if name in needed)
