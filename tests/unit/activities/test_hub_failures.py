"""Every error of the hub's client as a reason, by a table."""

import httpx2
import pytest
from huggingface_hub import errors
from temporalio.exceptions import ApplicationError

from activities.errors.hub import hub_failure

WHERE = "acme/m@main at http://hub"


def answered(kind: type[errors.HfHubHTTPError], status: int, **headers: str) -> errors.HfHubHTTPError:
    request = httpx2.Request("GET", "http://hub/api/models/acme/m")
    return kind("said no", response=httpx2.Response(status, headers=headers, request=request))


TABLE = [
    pytest.param(
        answered(errors.GatedRepoError, 403), True, "ModelGated", "with the account of that token", id="gated"
    ),
    pytest.param(answered(errors.GatedRepoError, 401), False, "ModelGated", "modelAccessSecret", id="gated, no token"),
    pytest.param(answered(errors.RepositoryNotFoundError, 401), False, "ModelNotFound", "private", id="missing"),
    pytest.param(answered(errors.RepositoryNotFoundError, 404), True, "ModelNotFound", "no access", id="not visible"),
    pytest.param(answered(errors.RepositoryNotFoundError, 401), True, "ModelTokenInvalid", "refused", id="old token"),
    pytest.param(answered(errors.HfHubHTTPError, 401), True, "ModelTokenInvalid", "refused the token", id="bad token"),
    pytest.param(
        answered(errors.RevisionNotFoundError, 404), False, "ModelNotFound", "no such revision", id="revision"
    ),
    pytest.param(answered(errors.DisabledRepoError, 403), False, "ModelNotFound", "disabled", id="disabled"),
    pytest.param(answered(errors.RemoteEntryNotFoundError, 404), False, "ModelNotFound", "HTTP|said no", id="no file"),
    pytest.param(answered(errors.HfHubHTTPError, 429), False, "ModelHubBusy", "throttles", id="too many requests"),
    pytest.param(answered(errors.HfHubHTTPError, 502), False, "ModelUnreachable", "HTTP 502", id="gateway"),
    pytest.param(errors.HFValidationError("bad name"), False, "ModelNotFound", "not a valid model name", id="name"),
    pytest.param(httpx2.ConnectError("refused"), False, "ModelUnreachable", "ConnectError", id="no connection"),
    pytest.param(httpx2.ReadTimeout("slow"), False, "ModelUnreachable", "ReadTimeout", id="no answer"),
    pytest.param(errors.OfflineModeIsEnabled("offline"), False, "ModelUnreachable", "offline", id="offline"),
    pytest.param(errors.LocalEntryNotFoundError("x"), False, "ModelUnreachable", "LocalEntry", id="broken off"),
    pytest.param(OSError("no route"), False, "ModelUnreachable", "no route", id="no route"),
]


@pytest.mark.parametrize(("error", "with_token", "reason", "message"), TABLE)
def test_errors_have_reasons(error: Exception, with_token: bool, reason: str, message: str) -> None:
    failure = hub_failure(error, WHERE, with_token=with_token)
    assert isinstance(failure, ApplicationError) and failure.type == reason
    assert failure.message.startswith(WHERE)
    assert any(part in failure.message for part in message.split("|"))


@pytest.mark.parametrize(("header", "seconds"), [
    *[("30", 30), ("999999", 600), ("soon", None), ("-3", None), ("9" * 5000, None), ("0.5", 0.5)],
])  # fmt: skip
def test_the_pause_is_the_hubs_within_reason(header: str, seconds: float | None) -> None:
    busy = answered(errors.HfHubHTTPError, 429, **{"Retry-After": header})
    delay = hub_failure(busy, WHERE, with_token=False).next_retry_delay
    assert (delay.total_seconds() if delay else None) == seconds
