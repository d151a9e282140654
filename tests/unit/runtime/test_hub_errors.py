"""What the hub's library raises becomes a reason that a person can act on."""

import errno

import httpx2
import pytest
from huggingface_hub import errors

from api.reasons import REASONS
from runtime.fetch.hub_errors import failure_of
from runtime.pod import termination
from runtime.serve.failures import ConfigInvalid, ServeFailure, WeightsMissing

HUB = "https://hub.example"


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is HUB, and there is a token, unless a test takes it away."""
    monkeypatch.setenv("HF_ENDPOINT", HUB)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")


def response(status: int, url: str = f"{HUB}/api/models/acme/big") -> httpx2.Response:
    return httpx2.Response(status, request=httpx2.Request("GET", url))


def kind_of(error: Exception) -> termination.Kind:
    return failure_of(error, "acme/big", "a" * 40).kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.GatedRepoError("no", response=response(403)), termination.GATED),
        (errors.RepositoryNotFoundError("no", response=response(404)), termination.NOT_FOUND),
        (errors.RevisionNotFoundError("no", response=response(404)), termination.NOT_FOUND),
        (errors.HfHubHTTPError("no", response=response(403)), termination.TOKEN_INVALID),
        (errors.HfHubHTTPError("no", response=response(429)), termination.UNREACHABLE),
        (errors.HfHubHTTPError("no", response=response(503)), termination.UNREACHABLE),
        (errors.OfflineModeIsEnabled("no"), termination.UNREACHABLE),
        (httpx2.ConnectError("refused"), termination.UNREACHABLE),
        (httpx2.ReadTimeout("slow"), termination.UNREACHABLE),
        (httpx2.ProxyError("403 Forbidden"), termination.UNREACHABLE),
        (OSError(errno.ENOSPC, "full"), termination.DISK_FULL),
        (OSError("3 bytes short"), termination.BROKEN_OFF),
        (ValueError("odd"), termination.BROKEN_OFF),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.reason,
)
def test_each_error_has_its_kind(error: Exception, kind: termination.Kind) -> None:
    assert kind_of(error) == kind


def test_a_401_means_the_token_only_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    error = errors.RepositoryNotFoundError("no", response=response(401))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert kind_of(error) == termination.NOT_FOUND
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert kind_of(error) == termination.TOKEN_INVALID


@pytest.mark.parametrize("token", ["hf_secret", ""])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416, 503])
def test_what_the_hubs_storage_answers_says_nothing_of_token_and_name_and_is_tried_again(
    status: int, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    error = errors.HfHubHTTPError("no", response=response(status, "https://cas-bridge.example/xet/ab?Expires=1"))
    failure = failure_of(error, "acme/big", "a" * 40)
    assert failure.kind == termination.UNREACHABLE and failure.kind.worth_retrying
    assert f"cas-bridge.example, where the hub keeps its files, answered {status}" in failure.message
    assert "HF_TOKEN" not in failure.message and "Expires" not in failure.message


def test_without_a_token_no_refusal_is_said_to_be_the_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    for status, kind in ((401, termination.NOT_FOUND), (403, termination.UNREACHABLE)):
        failure = failure_of(errors.HfHubHTTPError("no", response=response(status)), "acme/big", "a" * 40)
        assert failure.kind == kind and "HF_TOKEN" not in failure.message


def test_the_message_names_the_model_and_never_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    failure = failure_of(errors.GatedRepoError("no", response=response(403)), "acme/big", "a" * 40)
    assert failure.message.startswith("acme/big at aaaaaaaaaaaa:")
    assert "hf_secret" not in failure.message


def test_every_reason_is_one_that_the_status_knows() -> None:
    told = {kind.reason for kind in termination.KINDS} | {
        kind.reason for kind in (ServeFailure, ConfigInvalid, WeightsMissing)
    }
    assert told <= set(REASONS)


def test_every_kind_has_its_own_exit_code() -> None:
    codes = [kind.exit_code for kind in termination.KINDS]
    assert len(set(codes)) == len(codes)
    assert all(termination.kind_of_exit(kind.exit_code) == kind for kind in termination.KINDS)
