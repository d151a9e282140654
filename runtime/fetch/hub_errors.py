"""Maps exceptions of huggingface_hub and the file system to a FetchFailure: one function, one table.

Without a token the hub returns 401 for a repository that does not exist, so the message then names both causes. Files
come from the hub's storage, whose links are signed for a while; what that, or a proxy on the way, refuses says nothing
of the token, and another try gets another link.
"""

import errno
import os

import httpx2
from huggingface_hub import errors, get_token

from runtime.pod.termination import (
    BROKEN_OFF,
    DISK_FULL,
    GATED,
    NOT_FOUND,
    TOKEN_INVALID,
    UNREACHABLE,
    FetchFailure,
    Kind,
)

FULL = (errno.ENOSPC, errno.EDQUOT)


def failure_of(error: Exception, model: str, revision: str) -> FetchFailure:
    """Maps an exception raised while fetching `model` at `revision` to its failure."""
    kind, text = _classified(error)
    return FetchFailure(kind, f"{model} at {revision[:12]}: {text}")


def _classified(error: Exception) -> tuple[Kind, str]:
    if isinstance(error, FetchFailure):
        return error.kind, error.message
    if isinstance(error, errors.GatedRepoError):
        return GATED, "the model is gated and HF_TOKEN may not read it: accept its licence on the model's page"
    if isinstance(error, errors.RevisionNotFoundError):
        return NOT_FOUND, "the repository has no such revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return _not_found(error)
    if isinstance(error, errors.HfHubHTTPError):
        return _http(error)
    if isinstance(error, httpx2.TransportError | errors.OfflineModeIsEnabled | ConnectionError | TimeoutError):
        return UNREACHABLE, f"the hub at {endpoint()} cannot be reached: {error}"
    if isinstance(error, OSError) and error.errno in FULL:
        return DISK_FULL, f"no space is left on the node's disk: {error}"
    return BROKEN_OFF, f"{type(error).__name__}: {error}"


def _not_found(error: errors.RepositoryNotFoundError) -> tuple[Kind, str]:
    status = error.response.status_code
    if status == 401 and get_token():
        return TOKEN_INVALID, "the hub refused HF_TOKEN: put a valid token into the Secret"
    if status == 401:
        return NOT_FOUND, "there is no such repository, or it is private: check the name, or give modelAccessSecret"
    return NOT_FOUND, "there is no such repository, or HF_TOKEN may not see it"


def _http(error: errors.HfHubHTTPError) -> tuple[Kind, str]:
    status, url = error.response.status_code, error.response.url
    if url.host != httpx2.URL(endpoint()).host:
        return UNREACHABLE, (
            f"{url.host}, where the hub keeps its files, answered {status}: the link has expired, or a proxy or "
            "firewall refuses the host; it is tried again"
        )
    if status == 401 and not get_token():
        return NOT_FOUND, f"the hub wants a login for {url.path}: check the model's name, or give modelAccessSecret"
    if status == 403 and not get_token():
        return UNREACHABLE, (
            f"{url.host} answered 403, and no token was sent: a proxy or firewall may refuse the host, or the hub "
            "itself is in trouble; it is tried again"
        )
    if status in (401, 403):
        return TOKEN_INVALID, f"the hub answered {status}: HF_TOKEN is wrong, expired or lacks the right to read"
    if status == 404:
        return NOT_FOUND, f"the hub has no file for {url.path}"
    return UNREACHABLE, f"the hub at {endpoint()} answered {status}"


def endpoint() -> str:
    """Returns the hub's URL, as huggingface_hub itself reads it."""
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
