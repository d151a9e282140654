"""A training's data comes from links, whole and once, and what is wrong with a link has a reason and no wait."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.configs.training_sections import DatasetConfig
from api.pods.data import MANIFEST_FILE, DataConfig, DataManifest
from runtime.data.__main__ import prepare
from runtime.pod.exit import Failure
from testing.deadlines import PATIENCE_S
from tests.integration.runtime.data_server import DataServer, Page, data_server

ROWS = b"".join(
    json.dumps({"prompt": f"What is {n}?", "completion": f"It is {n}, and no other number."}).encode() + b"\n"
    for n in range(20_000)
)


@pytest.fixture
def server() -> Iterator[DataServer]:
    with data_server() as started:
        started.pages = {"/rows.jsonl": Page(ROWS), "/a/train.jsonl": Page(ROWS[:4000].rpartition(b"\n")[0])}
        yield started


@pytest.fixture
def prepared(server: DataServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DataManifest]:
    """Fetches these paths of the server (or whole links); a manifest is what counts."""
    monkeypatch.delenv("HF_ENDPOINT", raising=False)

    def run(*paths: str, **more: Any) -> DataManifest:
        urls = [path if "://" in path else f"{server.url}{path}" for path in paths]
        given = {"allowed_hosts": ("127.0.0.1",), "port": 0, "attempts": 3, "pause_s": 0.01, "stall_s": 1.0, **more}
        config = DataConfig(folder=str(tmp_path / "data"), urls=tuple(urls), **given)
        prepare(config)
        return DataManifest.model_validate_json((tmp_path / "data" / MANIFEST_FILE).read_bytes())

    return run


def refused(prepared: Callable[..., DataManifest], *paths: str, **more: Any) -> tuple[str, str]:
    with pytest.raises(Failure) as caught:
        prepared(*paths, **more)
    return caught.value.kind.reason, caught.value.message


def test_data_comes_with_checksums_rows_and_tokens(
    prepared: Callable[..., DataManifest], tmp_path: Path, server: DataServer
) -> None:
    manifest = prepared("/rows.jsonl?sig=secret")
    (file,) = manifest.files
    assert (tmp_path / "data" / "rows.jsonl").read_bytes() == ROWS
    assert (file.name, file.sha256, file.rows) == ("rows.jsonl", hashlib.sha256(ROWS).hexdigest(), 20_000)
    assert (file.shape, file.columns, file.source) == ("pair", ["completion", "prompt"], "127.0.0.1")
    assert 0 < manifest.tokens < len(ROWS) / 4
    assert "estimate" in manifest.tokens_by
    assert "secret" not in (tmp_path / "data" / MANIFEST_FILE).read_text()


def test_a_second_start_fetches_nothing(prepared: Callable[..., DataManifest], server: DataServer) -> None:
    first, asked = prepared("/rows.jsonl"), len(server.asked)
    assert prepared("/rows.jsonl") == first
    assert len(server.asked) == asked


def test_what_broke_off_is_gone_on_with(prepared: Callable[..., DataManifest], server: DataServer) -> None:
    server.pages["/rows.jsonl"] = Page(ROWS, cut=500_000)
    assert prepared("/rows.jsonl").files[0].sha256 == hashlib.sha256(ROWS).hexdigest()
    assert server.asked == [("/rows.jsonl", ""), ("/rows.jsonl", "bytes=500000-")]


def test_a_file_that_changed_on_the_way_is_begun_anew(
    prepared: Callable[..., DataManifest], server: DataServer
) -> None:
    other = ROWS.replace(b"number", b"figure")
    server.pages["/rows.jsonl"] = Page(ROWS, cut=500_000, times=3)
    refused(prepared, "/rows.jsonl", attempts=1)
    server.pages["/rows.jsonl"] = Page(other)
    assert prepared("/rows.jsonl").files[0].sha256 == hashlib.sha256(other).hexdigest()


def test_without_a_validator_nothing_is_pieced_together(
    prepared: Callable[..., DataManifest], server: DataServer
) -> None:
    server.pages["/rows.jsonl"] = Page(ROWS, cut=500_000, etag=False)
    assert prepared("/rows.jsonl").rows == 20_000
    assert server.asked == [("/rows.jsonl", "")] * 2


def test_a_stall_is_gone_on_from(prepared: Callable[..., DataManifest], server: DataServer) -> None:
    server.pages["/rows.jsonl"] = Page(ROWS, stall=500_000)
    assert prepared("/rows.jsonl").rows == 20_000
    assert server.asked[1] == ("/rows.jsonl", "bytes=500000-")


@pytest.mark.parametrize(
    "page",
    [Page(ROWS, stall=1000, times=99), Page(ROWS, drip=True), Page(slow_head=True)],
    ids=["silence", "drops", "drops of a head"],
)
def test_a_stall_that_lasts_has_a_reason_under_its_deadline(
    prepared: Callable[..., DataManifest], server: DataServer, page: Page
) -> None:
    server.pages["/rows.jsonl"] = page
    reason, message = refused(prepared, "/rows.jsonl", attempts=2)
    assert (reason, "127.0.0.1" in message) == ("DataStalled", True)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Page(b"<!DOCTYPE html><title>Log in</title>", kind="text/html"), "DataIsWebPage"),
        (Page(b"\n <html>", kind="application/octet-stream"), "DataIsWebPage"),
        (Page(status=404), "DataNotFound"),
        (Page(status=403), "DataForbidden"),
        (Page(status=401), "DataForbidden"),
        (Page(status=503), "DataUnreachable"),
        (Page(status=302, headers={"Location": "http://169.254.169.254/latest"}), "DataAddressRefused"),
        (Page(status=302, headers={"Location": "http://localhost/x"}), "DataAddressRefused"),
        (Page(b"PAR1 and nothing more"), "DataUnreadable"),
        (Page(ROWS, cut=1000, times=99), "DataDownloadFailed"),
        (Page(ROWS, promise=True, times=99), "DataDownloadFailed"),
    ],
)
def test_what_is_wrong_with_a_link_has_a_reason(
    prepared: Callable[..., DataManifest], server: DataServer, page: Page, reason: str
) -> None:
    server.pages["/file.parquet"] = page
    found, message = refused(prepared, "/file.parquet?sig=secret")
    assert found == reason
    assert "file.parquet" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("path", "page", "words"),
    [
        ("/train.jsonl.gz", Page(b"\x1f\x8b rest"), "compressed with gzip: unpack it"),
        ("/download", Page(ROWS), "name it in dataset_extension"),
        ("/notes.txt", Page(b"x", kind="text/plain"), "nothing says of which format it is"),
        ("/b.jsonl", Page(b"\x1f\x8b rest", headers={"Content-Encoding": "gzip"}), "(Content-Encoding: gzip)"),
        ("/b.jsonl", Page(b"version https://git-lfs.github.com/spec/v1\n"), "a pointer of Git LFS"),
    ],
)
def test_a_link_beside_others_that_cannot_be_read_is_not_left_out_silently(
    prepared: Callable[..., DataManifest], server: DataServer, path: str, page: Page, words: str
) -> None:
    server.pages[path] = page
    reason, message = refused(prepared, "/rows.jsonl", path)
    assert reason == "DataUnreadable"
    assert words in message and path[1:] in message


def test_a_link_without_an_ending_is_what_the_server_or_the_user_calls_it(
    prepared: Callable[..., DataManifest], server: DataServer
) -> None:
    named = {"Content-Disposition": 'attachment; filename="train.jsonl"'}
    server.pages |= {"/download": Page(ROWS, headers=named), "/other": Page(ROWS)}
    assert prepared("/download").rows == 20_000
    assert prepared("/other", dataset=DatasetConfig(dataset_extension="jsonl")).files[0].name == "other.jsonl"


def test_the_data_of_links_that_are_no_longer_given_is_gone(
    prepared: Callable[..., DataManifest], tmp_path: Path
) -> None:
    prepared("/rows.jsonl")
    assert [file.name for file in prepared("/a/train.jsonl").files] == ["train.jsonl"]
    assert not (tmp_path / "data" / "rows.jsonl").exists()


def test_what_somebody_must_mend_is_asked_once(prepared: Callable[..., DataManifest], server: DataServer) -> None:
    refused(prepared, "/nothing.csv")
    assert len(server.asked) == 1


def test_a_damaged_file_is_fetched_anew(prepared: Callable[..., DataManifest], server: DataServer) -> None:
    server.pages["/rows.jsonl"] = Page(ROWS, promise=True, times=1)
    assert prepared("/rows.jsonl").rows == 20_000
    assert len(server.asked) == 2


def test_a_server_that_is_not_there_is_told(prepared: Callable[..., DataManifest]) -> None:
    reason, message = refused(prepared, "http://127.0.0.1:9/x.csv", attempts=1)
    assert (reason, "cannot be connected to" in message) == ("DataUnreachable", True)


def test_an_address_inside_is_refused_before_it_is_asked(
    prepared: Callable[..., DataManifest], server: DataServer
) -> None:
    assert refused(prepared, "/rows.jsonl", allowed_hosts=())[0] == "DataAddressRefused"
    assert server.asked == []


def test_files_of_the_same_name_are_kept_apart(
    prepared: Callable[..., DataManifest], server: DataServer, tmp_path: Path
) -> None:
    server.pages["/b/train.jsonl"] = Page(b'{"text": "another one"}')
    manifest = prepared("/a/train.jsonl", "/b/train.jsonl", "/rows.jsonl")
    names = [file.name for file in manifest.files]
    assert len(set(names)) == 3
    assert sum(name.startswith("train-") and name.endswith(".jsonl") for name in names) == 2
    shutil.rmtree(tmp_path / "data")
    assert prepared("/rows.jsonl", "/b/train.jsonl", "/a/train.jsonl").digest == manifest.digest


def test_more_than_is_allowed_is_refused_before_it_comes(prepared: Callable[..., DataManifest], tmp_path: Path) -> None:
    reason, message = refused(prepared, "/rows.jsonl", max_bytes=100_000)
    assert (reason, str(len(ROWS)) in message) == ("DataTooLarge", True)
    assert not (tmp_path / "data" / "rows.jsonl").exists()


def test_a_full_volume_is_told(prepared: Callable[..., DataManifest], server: DataServer, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    try:
        assert refused(prepared, "/rows.jsonl")[0] == "DataDiskFull"
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_links_to_the_hub_follow_its_mirror(prepared: Callable[..., DataManifest], server: DataServer) -> None:
    path = "/datasets/acme/facts/resolve/main/data/train.jsonl"
    server.pages[path] = Page(ROWS)
    hub = f"https://huggingface.co{path}?download=true"
    assert prepared(hub, hf_endpoint=server.url, allowed_hosts=()).rows == 20_000
    assert server.asked == [(path, "")]


def test_the_program_ends_with_code_and_reason(server: DataServer, tmp_path: Path) -> None:
    def run(path: str) -> tuple[int, dict[str, Any]]:
        config = DataConfig(
            folder=str(tmp_path / "data"),
            urls=(f"{server.url}{path}",),
            allowed_hosts=("127.0.0.1",),
            port=0,
            attempts=1,
        )
        file = tmp_path / "data.json"
        file.write_text(config.model_dump_json())
        argv = [sys.executable, "-m", "runtime.data", "--config", str(file)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, env=os.environ, check=False)
        return done.returncode, json.loads(done.stdout.strip().splitlines()[-1])

    assert run("/nothing.csv")[0] == 80
    assert run("/nothing.csv")[1]["reason"] == "DataNotFound"
    code, told = run("/rows.jsonl")
    assert (code, told["rows"]) == (0, 20_000)
