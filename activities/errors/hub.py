"""Maps the hub client's errors to reasons: one table for every request to a model hub.

The client's errors form a tree in which a gated repository is also a missing one, so the narrower ones come first.
"""

from datetime import timedelta
from typing import Final

import httpx2
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from temporalio.exceptions import ApplicationError

from activities.contract.failures import failure
from activities.errors.pauses import pause_of

TOKEN_KEY: Final = "HF_TOKEN"
BUSY: Final = 429
LONGEST_WAIT: Final = timedelta(minutes=10)

HUB_ERRORS: Final = (httpx2.HTTPError, OSError, EntryNotFoundError, HFValidationError)
"""Everything that the client raises for errors of a hub or a network."""


def hub_failure(error: BaseException, where: str, *, with_token: bool) -> ApplicationError:
    """Returns the failure for this error; `where` names model, revision and hub, `with_token`: one was sent."""
    if isinstance(error, GatedRepoError):
        advice = "accept its licence with the account of that token" if with_token else _GIVE_TOKEN
        return failure("ModelGated", f"{where} is gated: {advice}")
    if isinstance(error, DisabledRepoError):
        return failure("ModelNotFound", f"{where} was disabled by the hub: choose another model")
    if isinstance(error, RepositoryNotFoundError):
        if with_token and error.response.status_code == 401:
            return failure("ModelTokenInvalid", f"{where} refused the token in the Secret's {TOKEN_KEY}")
        advice = "the token has no access to it" if with_token else "is private: in that case set modelAccessSecret"
        return failure("ModelNotFound", f"{where} does not exist, or {advice}")
    if isinstance(error, RevisionNotFoundError):
        return failure("ModelNotFound", f"{where}: the model has no such revision")
    if isinstance(error, HFValidationError):
        return failure("ModelNotFound", f"{where}: not a valid model name: {error}")
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return _http_failure(error, where)
    if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
        return failure("ModelNotFound", f"{where}: a file is gone: {error}")
    return failure("ModelUnreachable", f"{where} cannot be reached: {type(error).__name__}: {error}")


_GIVE_TOKEN: Final = f"accept its licence, and name a Secret with {TOKEN_KEY} in modelAccessSecret"


def _http_failure(error: HfHubHTTPError, where: str) -> ApplicationError:
    status = error.response.status_code
    if status in (401, 403):
        return failure("ModelTokenInvalid", f"{where} refused the token in the Secret's {TOKEN_KEY}")
    if status == BUSY:
        message = f"{where} throttles requests: requests with a token have a higher limit"
        pause = pause_of(error.response.headers.get("Retry-After"), LONGEST_WAIT)
        return failure("ModelHubBusy", message, retry_after=pause)
    if status == 404:
        return failure("ModelNotFound", f"{where}: {error}")
    return failure("ModelUnreachable", f"{where} answered HTTP {status}: {error}")
