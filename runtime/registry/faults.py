"""The closed set of registry errors and the mapping of responses to it; callers map them to Workspace reasons.

RegistryFault
  forbidden, not found, rejected    the user has to act: not retried
  full                              the same
  unreachable, damaged              retried
"""

import json
import re
from enum import StrEnum
from typing import Final

import httpx

from api.configs.json_reading import read_json
from runtime.pod.bounded_answers import AnswerRefused

WORDS_MAX: Final = 300
"""Characters of the registry's error text that a message includes."""
_FULL: Final = re.compile(r"no space left|enospc|disk (is )?full|quota|insufficient storage|out of (disk )?space", re.I)
TRANSPORT_ERRORS: Final = (httpx.HTTPError, httpx.InvalidURL, UnicodeError)
"""What a request raises when it has no response; UnicodeError for a host that is not a name by IDNA."""


class Trouble(StrEnum):
    """The kind of error."""

    FORBIDDEN = "forbidden"
    NOT_FOUND = "not found"
    REJECTED = "rejected"
    FULL = "full"
    UNREACHABLE = "unreachable"
    DAMAGED = "damaged"


class RegistryFault(Exception):
    """A request to a registry failed; the text names the registry and the request, never a credential."""

    def __init__(self, trouble: Trouble, text: str) -> None:
        super().__init__(text)
        self.trouble = trouble

    @property
    def worth_retrying(self) -> bool:
        return self.trouble in (Trouble.UNREACHABLE, Trouble.DAMAGED)


def fault_of(response: httpx.Response, doing: str) -> RegistryFault:
    """Maps an unsuccessful response to a fault. Its body must have been read."""
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


def fault_of_transport(error: Exception, doing: str, host: str) -> RegistryFault:
    """Maps one of `TRANSPORT_ERRORS` to a fault. The message contains no header: h11 quotes the header it refuses."""
    if isinstance(error, httpx.LocalProtocolError):
        return RegistryFault(Trouble.REJECTED, f"{doing}: the request for {host} cannot be written as HTTP")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.TooManyRedirects | UnicodeError):
        return RegistryFault(Trouble.REJECTED, f"{doing}: {host} redirects to an address that cannot be used")
    if isinstance(error, AnswerRefused):
        return RegistryFault(Trouble.REJECTED, f"{doing}: the response of {host} cannot be used: {error}")
    cause = str(error) or type(error).__name__
    return RegistryFault(Trouble.UNREACHABLE, f"{doing}: {host} cannot be reached ({cause[:WORDS_MAX]})")


def words_of(response: httpx.Response) -> str:
    """Returns the error text in the distribution API's format; other text if it is short and plain."""
    try:
        errors = read_json(response.content)["errors"]
        text = "; ".join(_words(error) for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        text = "" if "<" in response.text else response.text
    return " ".join(text.split())[:WORDS_MAX]


def _words(error: dict[str, object]) -> str:
    # Docker's registry reports the OS error, such as a full disk, only in the detail.
    detail = json.dumps(error["detail"]) if error.get("detail") else ""
    return " ".join(str(part) for part in (error.get("code"), error.get("message"), detail) if part)
