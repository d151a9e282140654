"""Reads how long a server asks to wait: `Retry-After` in seconds, within reason. Pure.

The header is another's word: a proxy on the way may write anything. A date, which HTTP allows too, reads as
nothing, and then the caller's own pause counts.
"""

import re
from datetime import timedelta
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{0,6})?")


def pause_of(header: object, longest: timedelta) -> timedelta | None:
    """The pause, `longest` at most; None if there is no usable one."""
    text = str(header or "").strip()
    return min(timedelta(seconds=float(text)), longest) if _SECONDS.fullmatch(text) else None
