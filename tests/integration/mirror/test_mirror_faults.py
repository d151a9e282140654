"""The trouble that the mirror can be told to make, as a client meets it."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, LocalEntryNotFoundError

from testing.deadlines import PATIENCE_S
from tests.integration.mirror.conftest import RunningMirror

WEIGHTS = "models/acme/tiny/model.safetensors"
CONFIG = "models/acme/tiny/config.json"


def get(mirror: RunningMirror, name: str = "model.safetensors", **options: Any) -> httpx.Response:
    patient: dict[str, Any] = {"follow_redirects": True, "timeout": PATIENCE_S}
    return httpx.get(f"{mirror.url}/acme/tiny/resolve/main/{name}", **(patient | options))


def test_a_stalled_download_sends_no_more_and_leaves_the_connection_open(mirror: RunningMirror) -> None:
    mirror.put("faults", [{"match": WEIGHTS, "kind": "stall", "after_bytes": 100_000}])
    with pytest.raises(httpx.ReadTimeout):
        get(mirror, timeout=httpx.Timeout(10, read=0.5))
    mirror.put("faults", [])
    assert get(mirror).content == mirror.files["models/acme/tiny/main/model.safetensors"]


def test_a_cut_connection_is_an_incomplete_body(mirror: RunningMirror) -> None:
    mirror.put("faults", [{"match": WEIGHTS, "kind": "cut", "after_bytes": 100_000}])
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
        get(mirror)


def test_a_slow_download_keeps_to_its_pace(mirror: RunningMirror) -> None:
    mirror.put("faults", [{"match": WEIGHTS, "kind": "slow", "bytes_per_second": 1_000_000}])
    content = get(mirror).content
    assert content == mirror.files["models/acme/tiny/main/model.safetensors"]
    assert mirror.requests(WEIGHTS)[-1]["took_s"] >= len(content) / 1_000_000


def test_a_corrupt_download_has_the_right_size_and_a_wrong_byte(mirror: RunningMirror) -> None:
    mirror.put("faults", [{"match": WEIGHTS, "kind": "corrupt", "times": 1}])
    whole = mirror.files["models/acme/tiny/main/model.safetensors"]
    corrupt = get(mirror).content
    assert (len(corrupt), corrupt[1:], corrupt == whole) == (len(whole), whole[1:], False)
    assert get(mirror).content == whole


def test_a_login_page_in_place_of_a_file_is_no_metadata_to_the_client(mirror: RunningMirror, tmp_path: Path) -> None:
    mirror.put("faults", [{"match": CONFIG, "kind": "html", "methods": ["GET", "HEAD"]}])
    answer = get(mirror, "config.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises((FileMetadataError, LocalEntryNotFoundError)):
        hf_hub_download("acme/tiny", "config.json", endpoint=mirror.url, cache_dir=tmp_path, token=False)


def test_a_status_comes_with_its_time_to_retry_and_as_often_as_told(mirror: RunningMirror) -> None:
    mirror.put("faults", [{"match": CONFIG, "kind": "status", "status": 429, "retry_after_s": 7, "times": 2}])
    answers = [get(mirror, "config.json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"


def test_a_fault_hits_api_calls_too(mirror: RunningMirror) -> None:
    mirror.put("faults", [{"match": "api/models/acme/tiny", "kind": "status", "status": 500, "times": 1}])
    with pytest.raises(HfHubHTTPError) as caught:
        mirror.api.model_info("acme/tiny")
    assert caught.value.response.status_code == 500
    assert mirror.api.model_info("acme/tiny").id == "acme/tiny"


def test_a_fault_that_makes_no_sense_is_refused(mirror: RunningMirror) -> None:
    answer = httpx.put(f"{mirror.url}/_control/faults", json=[{"kind": "status", "status": 200}], timeout=PATIENCE_S)
    assert answer.status_code == 422
