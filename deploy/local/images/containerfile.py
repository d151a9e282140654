"""Reads the Containerfile: the stages that one target is made of, so that only they identify its image."""

import re

_STAGE = re.compile(r"^FROM (?P<below>\S+) AS (?P<name>\S+)$", re.MULTILINE)
_COPIED = re.compile(r"^COPY --from=(\S+)", re.MULTILINE)


def stages_of(text: str, target: str) -> str:
    """Returns the text of all stages that `target` needs, in order, with the lines before the first; without comments.

    Raises KeyError for an unknown target.
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
