"""The unmodified huggingface_hub downloads from the mirror: whole repositories, pinned revisions, ranges, caches."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import hf_hub_download, snapshot_download

from testing.deadlines import PATIENCE_S
from tests.integration.mirror.conftest import RunningMirror, Starter

WEIGHTS = "models/acme/tiny/model.safetensors"


def content(files: dict[str, bytes], branch: str) -> dict[str, bytes]:
    prefix = f"models/acme/tiny/{branch}/"
    return {path.removeprefix(prefix): text for path, text in files.items() if path.startswith(prefix)}


def read(folder: str) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()}


def fetch(mirror: RunningMirror, cache: Path, **options: Any) -> str:
    return str(snapshot_download("acme/tiny", endpoint=mirror.url, cache_dir=cache, token=False, **options))


def fetch_file(mirror: RunningMirror, cache: Path, repo: str, name: str) -> Path:
    return Path(hf_hub_download(repo, name, endpoint=mirror.url, cache_dir=cache, token=False))


def fetch_weights(mirror: RunningMirror, cache: Path) -> Path:
    return fetch_file(mirror, cache, "acme/tiny", "model.safetensors")


def test_a_snapshot_has_every_file_of_the_branch(mirror: RunningMirror, tmp_path: Path) -> None:
    folder = fetch(mirror, tmp_path)
    assert read(folder) == content(mirror.files, "main")
    assert Path(folder).name == mirror.api.model_info("acme/tiny").sha


def test_a_pinned_revision_is_served_though_the_branch_is_elsewhere(mirror: RunningMirror, tmp_path: Path) -> None:
    older = mirror.api.model_info("acme/tiny", revision="older").sha
    assert older != mirror.api.model_info("acme/tiny").sha
    assert read(fetch(mirror, tmp_path, revision=older)) == content(mirror.files, "older")


def test_a_second_snapshot_downloads_nothing(mirror: RunningMirror, tmp_path: Path) -> None:
    fetch(mirror, tmp_path)
    fetch(mirror, tmp_path)
    assert len(mirror.requests(WEIGHTS)) == 1


def test_a_cached_file_is_known_by_its_etag(mirror: RunningMirror, tmp_path: Path) -> None:
    fetch_weights(mirror, tmp_path)
    again = fetch_weights(mirror, tmp_path)
    assert again.read_bytes() == mirror.files["models/acme/tiny/main/model.safetensors"]
    described = [request for request in mirror.requests(WEIGHTS, "HEAD") if request["status"] == 302]
    assert len(described) == 2
    assert len(mirror.requests(WEIGHTS)) == 1


def test_a_small_file_that_the_client_has_is_answered_with_not_modified(mirror: RunningMirror) -> None:
    url = f"{mirror.url}/acme/tiny/resolve/main/config.json"
    first = httpx.get(url, timeout=PATIENCE_S)
    assert httpx.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=PATIENCE_S).status_code == 304


def test_a_connection_that_is_cut_is_resumed_where_it_ended(mirror: RunningMirror, tmp_path: Path) -> None:
    # The client keeps what it has in pieces of 10 MiB; what it read of the next piece is lost and comes again.
    kept, subject = 10 * 1024 * 1024, "models/acme/big/model.bin"
    mirror.put("faults", [{"match": subject, "kind": "cut", "after_bytes": 11_000_000, "times": 1}])
    whole = mirror.files["models/acme/big/main/model.bin"]
    assert fetch_file(mirror, tmp_path, "acme/big", "model.bin").read_bytes() == whole
    answered = [(request["status"], request["sent_bytes"]) for request in mirror.requests(subject)]
    assert answered == [(200, 11_000_000), (206, len(whole) - kept)]


@pytest.mark.parametrize(
    ("header", "first", "end"), [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-7", -7, None)]
)
def test_a_range_of_a_large_file_is_sent_behind_the_redirect(
    mirror: RunningMirror, header: str, first: int, end: int | None
) -> None:
    whole = mirror.files["models/acme/tiny/main/model.safetensors"]
    url = f"{mirror.url}/acme/tiny/resolve/main/model.safetensors"
    answer = httpx.get(url, headers={"Range": header}, follow_redirects=True, timeout=PATIENCE_S)
    assert answer.status_code == 206
    assert answer.content == whole[first:end]
    assert answer.headers["Content-Range"].endswith(f"/{len(whole)}")


def test_a_range_behind_the_end_is_416(mirror: RunningMirror) -> None:
    url = f"{mirror.url}/acme/tiny/resolve/main/config.json"
    answer = httpx.get(url, headers={"Range": "bytes=1000-"}, timeout=PATIENCE_S)
    assert answer.status_code == 416


def test_a_large_file_is_described_before_the_redirect(mirror: RunningMirror) -> None:
    answer = httpx.head(f"{mirror.url}/acme/tiny/resolve/main/model.safetensors", timeout=PATIENCE_S)
    size = str(len(mirror.files["models/acme/tiny/main/model.safetensors"]))
    assert (answer.status_code, answer.headers["X-Linked-Size"]) == (302, size)
    assert answer.headers["X-Repo-Commit"] == mirror.api.model_info("acme/tiny").sha
    assert answer.headers["Location"].startswith(mirror.url)


def test_a_dataset_file_is_downloaded_by_its_public_address(mirror: RunningMirror) -> None:
    path = "acme/rows/resolve/main/data/train-00000-of-00001-abc.parquet"
    answer = httpx.get(f"{mirror.url}/datasets/{path}?download=true", follow_redirects=True, timeout=PATIENCE_S)
    assert answer.content == mirror.files["datasets/acme/rows/main/data/train-00000-of-00001-abc.parquet"]


def test_a_file_in_a_folder_whose_name_has_a_space_is_served(mirror: RunningMirror) -> None:
    answer = httpx.get(f"{mirror.url}/acme/tiny/resolve/main/sub/deep/notes%20with%20space.txt", timeout=PATIENCE_S)
    assert answer.content == b"notes"


def test_several_clients_download_side_by_side(mirror: RunningMirror, tmp_path: Path) -> None:
    # Four seconds for each: on a busy machine they do not begin at once.
    mirror.put("pace", {"bytes_per_second": 100_000})
    with ThreadPoolExecutor(4) as clients:
        files = list(clients.map(lambda number: fetch_weights(mirror, tmp_path / str(number)), range(4)))
    assert {file.read_bytes() for file in files} == {mirror.files["models/acme/tiny/main/model.safetensors"]}
    downloads = mirror.requests(WEIGHTS)
    assert len(downloads) == 4
    # All were under way at one moment: the last began before the first ended.
    ends = min(request["began_s"] + request["took_s"] for request in downloads)
    assert max(request["began_s"] for request in downloads) < ends


def test_the_pace_holds_per_connection(mirror: RunningMirror, tmp_path: Path) -> None:
    mirror.put("pace", {"bytes_per_second": 400_000, "latency_s": 0.3})
    fetch_weights(mirror, tmp_path)
    size = len(mirror.files["models/acme/tiny/main/model.safetensors"])
    assert mirror.requests(WEIGHTS)[0]["took_s"] >= 0.3 + size / 400_000


def test_the_pace_can_be_given_on_the_command_line(start_mirror: Starter, tmp_path: Path) -> None:
    mirror = start_mirror("--bandwidth", "800000", "--latency", "0.2")
    fetch_weights(mirror, tmp_path)
    assert mirror.requests(WEIGHTS)[0]["took_s"] >= 0.2 + 400_000 / 800_000
    mirror.stop()
