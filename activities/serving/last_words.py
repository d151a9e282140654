"""Reads what containers wrote last before they failed, so that it is kept when their pods are removed.

Into the failure's message go its last lines, into its details, which the workflow's history keeps, what is bounded
here. A log that cannot be read costs the evidence and never the verdict. Whose words these are, and that they may be
hostile, is `api/words.py`'s; secrets are masked here, because who reads a status need not be allowed to read logs.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import Final

from temporalio import activity

from activities.clients.kubernetes import REQUEST_ERRORS, Object
from activities.clients.pod_proxy import PodAnswerInvalid, PodProxy
from activities.serving.pods import Problem
from api.words import bounded, one_line

KEPT_OF_ONE: Final = 6000
"""Characters of one container's log in a history."""
CONTAINERS_MOST: Final = 3
READING_S: Final = 4.0
"""For all logs together: at a wait's deadline there is little more."""
IN_MESSAGE: Final = 600
LINES_IN_MESSAGE: Final = 3
MASK: Final = "[masked]"
_SECRETS: Final = (
    re.compile(r"\bhf_[A-Za-z0-9]{16,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{16,}(?:\.[A-Za-z0-9_-]{1,4000}){0,2}"),
    re.compile(r"(?<=://)[^\s/@:]{1,200}:[^\s/@]{1,200}(?=@)"),
    re.compile(r"(?i)(?<=\bbearer )[^\s\"']{8,4000}"),
    re.compile(r"(?i)(?<=\bbasic )[A-Za-z0-9+/=]{8,4000}"),
    re.compile(r"(?i)(?<=[?&]sig=)[^\s&\"']{8,400}"),
    re.compile(r"(?i)(?<=password[=:])\s?[^\s\"']{1,400}"),
    re.compile(r"(?i)(?<=secret[=:])\s?[^\s\"']{1,400}"),
    re.compile(r"(?i)(?<=token[=:])\s?[^\s\"']{1,4000}"),
    re.compile(r"(?i)(?<=api_key[=:])\s?[^\s\"']{1,400}"),
)
"""Tokens of hubs, JWTs, accounts in addresses, headers, signatures of storage, and what is called a secret."""


class LastWords:
    """Reads logs as the identity that asks pods."""

    def __init__(self, pods: PodProxy) -> None:
        self._pods = pods

    async def of(self, pods: Iterable[Object]) -> dict[str, str]:
        """Returns the end of the log of each container that has failed, or is not ready, by `pod/container`; without
        those that cannot be read."""
        wanted = [(pod["metadata"], name, earlier) for pod in pods for name, earlier in failed_containers(pod)]
        found = await asyncio.gather(*(self._read(*one) for one in wanted[:CONTAINERS_MOST]))
        return {place: kept(text) for place, text in found if text.strip()}

    async def _read(self, pod: Object, container: str, earlier: bool) -> tuple[str, str]:
        """`pod`: its metadata. Returns `pod/container` and the log, "" if it cannot be read."""
        place = f"{pod['name']}/{container}"
        try:
            async with asyncio.timeout(READING_S):
                return place, await self._pods.log(pod["namespace"], pod["name"], container, previous=earlier)
        except (*REQUEST_ERRORS, PodAnswerInvalid) as error:
            activity.logger.info("the log of a failed container could not be read", extra={"cause": str(error)[:300]})
        return place, ""


def failed_containers(pod: Object) -> list[tuple[str, bool]]:
    """Containers that have ended with an error, each with whether its log is of the run before; if there is none, those
    that run and are not ready."""
    status = pod.get("status") or {}
    states = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    ended = [(one["name"], earlier) for one in states if (earlier := _failed(one)) is not None]
    running = [(one["name"], False) for one in states if "running" in (one.get("state") or {})]
    return ended or running


def kept(text: str) -> str:
    """The end of a log, without what cannot be seen and without secrets."""
    masked = text[-4 * KEPT_OF_ONE :]
    for secret in _SECRETS:
        masked = secret.sub(MASK, masked)
    return bounded(masked[-KEPT_OF_ONE:], KEPT_OF_ONE)


def with_last_words(problem: Problem, logs: dict[str, str]) -> str:
    """The problem's message, with the last lines of its container's log unless it has them already."""
    words = next((text for name, text in logs.items() if name.endswith(f"/{problem.container}")), "")
    words = words or next(iter(logs.values()), "")
    lines = [one_line(line) for line in words.splitlines() if line.strip()][-LINES_IN_MESSAGE:]
    if not lines or lines[-1][:80] in problem.message:
        return problem.message
    return f"{problem.message}. Its log ends: {' | '.join(lines)[-IN_MESSAGE:]}"


def _failed(container: Object) -> bool | None:
    """False if the run that is shown has failed, True if the one before has; None if neither has."""
    for name, earlier in (("state", False), ("lastState", True)):
        ended = (container.get(name) or {}).get("terminated")
        if ended:
            return earlier if ended.get("exitCode") != 0 else None
    return None
