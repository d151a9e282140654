"""How a registry can refuse, as a closed set, and what a response means; what that is to the Workspace is the caller's.

RegistryFault
  forbidden, not found, rejected    the user has to act: not retried
  full                              the same
  unreachable, damaged              tried again
"""

import json
import re
from enum import StrEnum
from typing import Final

import httpx

from runtime.pod.guarded_network import AnswerRefused

WORDS_MAX: Final = 300
"""Characters of the registry's own words that a message carries."""
_FULL: Final = re.compile(r"no space left|enospc|disk (is )?full|quota|insufficient storage|out of (disk )?space", re.I)


class Trouble(StrEnum):
    """What went wrong."""

    FORBIDDEN = "forbidden"
    NOT_FOUND = "not found"
    REJECTED = "rejected"
    FULL = "full"
    UNREACHABLE = "unreachable"
    DAMAGED = "damaged"


class RegistryFault(Exception):
    """A request to a registry failed; the text names the registry and what was asked, never a credential."""

    def __init__(self, trouble: Trouble, text: str) -> None:
        super().__init__(text)
        self.trouble = trouble

    @property
    def worth_retrying(self) -> bool:
        return self.trouble in (Trouble.UNREACHABLE, Trouble.DAMAGED)


def fault_of(response: httpx.Response, doing: str) -> RegistryFault:
    """What an answer that is no success means. Its body must have been read."""
    status, words = response.status_code, words_of(response)
    text = f"{doing}: {response.url.host} answered {status}{f' ({words})' if words else ''}"
    if status in (401, 403) and not (status == 403 and _FULL.search(words)):
        return RegistryFault(Trouble.FORBIDDEN, text)
    if status == 507 or _FULL.search(words):
        return RegistryFault(Trouble.FULL, text)
    if status == 404:
        return RegistryFault(Trouble.NOT_FOUND, text)
    if status in (408, 425, 429) or status >= 500:
        return RegistryFault(Trouble.UNREACHABLE, text)
    return RegistryFault(Trouble.REJECTED, text)


def fault_of_transport(error: httpx.HTTPError | httpx.InvalidURL, doing: str, host: str) -> RegistryFault:
    """What it means that there was no answer. httpx's texts say nothing of what was sent."""
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.TooManyRedirects):
        return RegistryFault(Trouble.REJECTED, f"{doing}: {host} leads where nothing can be asked")
    if isinstance(error, AnswerRefused):
        return RegistryFault(Trouble.REJECTED, f"{doing}: {host} gives no answer that can be used: {error}")
    cause = str(error) or type(error).__name__
    return RegistryFault(Trouble.UNREACHABLE, f"{doing}: {host} cannot be reached ({cause[:WORDS_MAX]})")


def words_of(response: httpx.Response) -> str:
    """The registry's own words, by the distribution API's form of errors; other text where it is short and plain."""
    try:
        errors = json.loads(response.content)["errors"]
        said = "; ".join(_words(error) for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        said = "" if "<" in response.text else response.text
    return " ".join(said.split())[:WORDS_MAX]


def _words(error: dict[str, object]) -> str:
    # Docker's registry puts the system's error into the detail: only there stands that its disk is full.
    detail = json.dumps(error["detail"]) if error.get("detail") else ""
    return " ".join(str(part) for part in (error.get("code"), error.get("message"), detail) if part)
