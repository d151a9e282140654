"""The keys of payloads, from a mounted file that is read again when it has changed.

One key a line: its id, a space, 32 bytes in base64. The first encrypts and all decrypt, so that another key can follow
it. What they are used for is `codec.py`'s.
"""

import base64
import binascii
import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from process.connection.target import Misconfigured
from process.file_state import state_of

KEY_BYTES: Final = 32
"""Of AES-256."""
ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LOOK_S: Final = 10.0
"""Between two looks at the file, at least; an unknown key is looked for at once."""
MAKE: Final = 'make one with `printf "%s %s\\n" "$(date +%Y-%m)" "$(openssl rand -base64 32)"`'
log = logging.getLogger(__name__)


class Key(NamedTuple):
    """`secret`: 32 bytes, which no message shows."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"


def read_keys(file: Path) -> Mapping[str, Key]:
    """Returns the keys by id, in the order of the file. Raises Misconfigured, which names a line and never its text."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "not ASCII text"
        raise Misconfigured(
            f"the keys of payloads cannot be read from {file} ({cause}): mount the Secret there, or correct "
            "MODELYARD_TEMPORAL_PAYLOAD_KEYS_FILE"
        ) from None
    found: dict[str, Key] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        key = _key(line)
        if key is None:
            raise Misconfigured(f"{file}, line {number}: not an id, a space and {KEY_BYTES} bytes in base64; {MAKE}")
        if key.id in found:
            raise Misconfigured(f"{file}, line {number}: key {key.id} is there twice; give each its own id")
        found[key.id] = key
    if not found:
        raise Misconfigured(f"{file} has no key; {MAKE}, or unset MODELYARD_TEMPORAL_PAYLOAD_KEYS_FILE")
    return found


def _key(line: str) -> Key | None:
    words = line.split()
    if len(words) != 2 or not ID.fullmatch(words[0]):
        return None
    try:
        secret = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return None
    return Key(words[0], secret) if len(secret) == KEY_BYTES else None


class KeyRing:
    """The keys of one file; none without a file. Raises Misconfigured if they cannot be read at first."""

    def __init__(self, file: Path | None, look_s: float = LOOK_S) -> None:
        self.file = file
        self._look_s, self._looked = look_s, time.monotonic()
        self._seen = state_of(file)
        self._keys = read_keys(file) if file else {}

    def first(self) -> Key | None:
        """Returns the key that encrypts; None if nothing does."""
        if time.monotonic() - self._looked >= self._look_s:
            self._look()
        return next(iter(self._keys.values()), None)

    def find(self, id: str) -> Key | None:
        """Returns this key, or None."""
        if id not in self._keys:
            self._look()
        return self._keys.get(id)

    def _look(self) -> None:
        self._looked = time.monotonic()
        if self.file is None or (state := state_of(self.file)) == self._seen:
            return
        self._seen = state
        try:
            self._keys = read_keys(self.file)
        except Misconfigured as error:
            log.error("changed keys of payloads are not in use, the old ones stay: %s", error)
        else:
            log.info("changed keys of payloads are in use: %s; the first encrypts", ", ".join(self._keys))
