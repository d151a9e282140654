"""The policy's file: read at start, and again when it has changed. What it may say is `api/policy`'s.

In a pod it is a mounted ConfigMap, which the kubelet renews by putting another file in its place. An edit that cannot
be read changes nothing: the last policy that could be read holds on, and log and metrics say so.
"""

import logging
import time
from pathlib import Path
from typing import Final

from prometheus_client import Counter, Gauge
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.policy.document import Policy
from api.policy.reading import PolicyInvalid, parse_policy
from process.exit import CannotStart
from process.file_state import state_of

LOOK_S: Final = 2.0
"""Between two looks at the file, at least; the kubelet itself takes up to about a minute."""
SIZE_MAX: Final = 2**20
"""Bytes: a ConfigMap has no more."""
INVALID: Final = Gauge("modelyard_policy_invalid", "1 while the policy's file cannot be read and an older one holds")
READ: Final = Counter("modelyard_policy_reads", "Changed policies (verdict: taken, refused)", ["verdict"])
log = logging.getLogger(__name__)


class PolicySettings(BaseSettings):
    """Where the policy is; for the processes that judge by it."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", frozen=True, extra="ignore")

    policy: Path | None = None
    """File of the operator's policy (docs/policy.md); empty means the defaults. Read again when it changes."""


class PolicyFile:
    """The policy that holds now. Raises CannotStart if there is none that can be read at first."""

    def __init__(self, file: Path | None, look_s: float = LOOK_S) -> None:
        self._file, self._look_s = file, look_s
        self._looked, self._seen = time.monotonic(), state_of(file)
        try:
            self._policy = _read(file) if file else Policy()
        except PolicyInvalid as error:
            raise CannotStart(f"the policy {file} cannot be used: {error}. Correct it (docs/policy.md)") from None
        INVALID.set(0)

    def __call__(self) -> Policy:
        """Returns the newest policy that could be read."""
        if self._file is not None and time.monotonic() - self._looked >= self._look_s:
            self._look(self._file)
        return self._policy

    def _look(self, file: Path) -> None:
        self._looked = time.monotonic()
        if (state := state_of(file)) == self._seen:
            return
        try:
            self._policy = _read(file)
        except PolicyInvalid as error:
            INVALID.set(1)
            READ.labels("refused").inc()
            log.error("the changed policy %s is not in use, the one before holds on: %s", file, error)
        else:
            INVALID.set(0)
            READ.labels("taken").inc()
            log.info("the changed policy %s is in use", file)
        self._seen = state


def _read(file: Path) -> Policy:
    try:
        with file.open("rb") as opened:
            text = opened.read(SIZE_MAX).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyInvalid([("", getattr(error, "strerror", None) or "is not UTF-8 text")]) from None
    return parse_policy(text)
