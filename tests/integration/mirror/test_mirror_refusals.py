"""What the mirror refuses, as the unmodified huggingface_hub reports it, and what never gets out of it."""

import http.client
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from testing.deadlines import PATIENCE_S
from tests.integration.mirror.conftest import RunningMirror, Starter

TOKENS = {"hf_in": {"user": "ann", "repos": ["acme/tiny"]}, "hf_out": {"user": "bob"}}


def download(mirror: RunningMirror, tmp_path: Path, token: str | bool = False, **asked: str) -> None:
    wanted: dict[str, Any] = {"repo_id": "acme/tiny", "filename": "config.json"} | asked
    hf_hub_download(**wanted, endpoint=mirror.url, cache_dir=tmp_path, token=token)


@pytest.mark.parametrize(
    ("asked", "error", "status"),
    [
        ({"repo_id": "acme/nothing"}, RepositoryNotFoundError, 401),
        ({"repo_id": "acme/nothing", "token": "hf_out"}, RepositoryNotFoundError, 404),
        ({"revision": "nothing"}, RevisionNotFoundError, 404),
        ({"revision": "0" * 40}, RevisionNotFoundError, 404),
        ({"filename": "nothing.json"}, EntryNotFoundError, 404),
        ({"repo_type": "dataset"}, RepositoryNotFoundError, 401),
    ],
)
def test_what_is_not_there_is_the_clients_own_error(
    mirror: RunningMirror, tmp_path: Path, asked: dict[str, str], error: type[HfHubHTTPError], status: int
) -> None:
    mirror.put("access", {"tokens": TOKENS})
    with pytest.raises(error) as caught:
        download(mirror, tmp_path, **asked)
    assert caught.value.response.status_code == status


@pytest.mark.parametrize(("token", "status"), [(False, 401), ("hf_out", 403)])
def test_the_files_of_a_gated_model_are_refused_without_access(
    mirror: RunningMirror, tmp_path: Path, token: str | bool, status: int
) -> None:
    mirror.put("access", {"repos": {"acme/tiny": "gated"}, "tokens": TOKENS})
    with pytest.raises(GatedRepoError) as caught:
        download(mirror, tmp_path, token=token)
    assert caught.value.response.status_code == status
    with pytest.raises(GatedRepoError):
        snapshot_download("acme/tiny", endpoint=mirror.url, cache_dir=tmp_path, token=token)
    with pytest.raises(GatedRepoError):
        HfApi(endpoint=mirror.url, token=token).auth_check("acme/tiny")


def test_a_gated_model_shows_its_name_to_anybody_and_its_files_to_those_with_access(
    mirror: RunningMirror, tmp_path: Path
) -> None:
    mirror.put("access", {"repos": {"acme/tiny": "gated"}, "tokens": TOKENS})
    assert mirror.api.model_info("acme/tiny").gated == "manual"
    folder = snapshot_download("acme/tiny", endpoint=mirror.url, cache_dir=tmp_path, token="hf_in")
    assert len(folder) > 0
    HfApi(endpoint=mirror.url, token="hf_in").auth_check("acme/tiny")


def test_a_private_model_looks_like_none(mirror: RunningMirror) -> None:
    mirror.put("access", {"repos": {"acme/tiny": "private"}, "tokens": TOKENS})
    with pytest.raises(RepositoryNotFoundError):
        mirror.api.model_info("acme/tiny")
    assert HfApi(endpoint=mirror.url, token="hf_in").model_info("acme/tiny").private


def test_a_token_that_nobody_declared_is_refused(mirror: RunningMirror) -> None:
    with pytest.raises(HfHubHTTPError, match="Invalid credentials") as caught:
        HfApi(endpoint=mirror.url, token="hf_wrong").model_info("acme/tiny")
    assert caught.value.response.status_code == 401


def test_whoami_names_the_tokens_user(mirror: RunningMirror) -> None:
    mirror.put("access", {"tokens": TOKENS})
    assert HfApi(endpoint=mirror.url, token="hf_in").whoami()["name"] == "ann"
    with pytest.raises(HfHubHTTPError):
        HfApi(endpoint=mirror.url, token="hf_wrong").whoami()


def test_access_rules_and_pace_outlive_a_restart_and_tokens_are_not_shown(
    start_mirror: Starter, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.json"
    first = start_mirror("--rules", str(rules))
    first.put("access", {"repos": {"acme/tiny": "gated"}, "tokens": TOKENS})
    first.put("pace", {"latency_s": 0.1})
    first.stop()
    assert rules.stat().st_mode & 0o077 == 0
    second = start_mirror("--rules", str(rules))
    state = httpx.get(f"{second.url}/_control/state", timeout=PATIENCE_S)
    assert (state.json()["repos"], state.json()["pace"]["latency_s"]) == ({"acme/tiny": "gated"}, 0.1)
    assert "hf_in" not in state.text
    second.stop()


def test_a_signed_link_does_not_open_another_file(mirror: RunningMirror) -> None:
    url = f"{mirror.url}/acme/tiny/resolve/main/model.safetensors"
    signed = httpx.head(url, timeout=PATIENCE_S).headers["Location"]
    assert httpx.head(signed, timeout=PATIENCE_S).status_code == 200
    assert httpx.get(signed.replace("model.safetensors", "config.json"), timeout=PATIENCE_S).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/acme/tiny/resolve/main/../../../../secret",
        "/acme/tiny/resolve/main/%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret",
        "/acme/tiny/resolve/main/..%2f..%2f..%2f..%2fsecret",
        "/acme/tiny/resolve/main//etc/passwd",
        "/acme/tiny/resolve/..%2f..%2f..%2f../secret",
        "/acme/..%2f..%2f../resolve/main/secret",
        "/../../resolve/main/secret",
        "/api/models/acme/../tree/main",
        "/api/models/acme/tiny/tree/main/..%2f..",
        "/acme/tiny/resolve/main/link",
    ],
)
def test_no_path_leads_out_of_a_repository(mirror: RunningMirror, path: str) -> None:
    # A secret beside the repositories and a link to it inside one: neither is ever served.
    (mirror.root / "secret").write_text("secret")
    link = mirror.root / "models/acme/tiny/main/link"
    if not link.is_symlink():
        link.symlink_to(mirror.root / "secret")
    connection = http.client.HTTPConnection(mirror.url.removeprefix("http://"), timeout=PATIENCE_S)
    connection.request("GET", path)  # sent as written, where other clients would tidy the path
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    link.unlink()
    assert answer.status in (401, 404)
    assert b'"secret"' not in body and body != b"secret"
