"""Weights come into a pod: from a hub that works, from one that makes trouble, and not at all."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from testing.ports import free_port
from tests.integration.runtime.fetch_processes import FILES, MODEL, Fetcher, Hub, wait_for

Start = Callable[..., Fetcher]
TOKENS = {"hf_in": {"user": "ann", "repos": [MODEL]}, "hf_out": {"user": "bob"}}
WEIGHTS = f"models/{MODEL}/model.safetensors"
IDLE_MB = 40


def told(output: str) -> dict[str, str]:
    return dict(json.loads(output.strip().splitlines()[-1]))


def names(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_what_a_server_needs_arrives_and_the_marker_comes_last(fetcher: Start) -> None:
    fetch = fetcher()
    fetch.wait_until_complete()
    assert names(fetch.folder) == {"config.json", "model.safetensors", ".complete"}
    assert (fetch.folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_afterwards_it_idles_with_little_memory_and_stops_when_told(fetcher: Start) -> None:
    fetch = fetcher()
    fetch.wait_until_complete()
    status = Path(f"/proc/{fetch.process.pid}/status").read_text()
    resident = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024
    assert resident < IDLE_MB
    assert fetch.metric("modelyard_fetch_complete") == 1
    fetch.process.send_signal(signal.SIGTERM)
    assert fetch.wait()[0] == 0


def test_a_second_start_finds_the_weights_and_asks_no_hub(fetcher: Start) -> None:
    first = fetcher("--once")
    assert first.wait()[0] == 0
    again = fetcher("--once", endpoint=f"http://127.0.0.1:{free_port()}", revision=first.folder.name)
    assert again.wait()[0] == 0


def test_a_download_that_was_cut_is_continued(hub: Hub, fetcher: Start) -> None:
    hub.put("faults", [{"match": WEIGHTS, "kind": "cut", "after_bytes": 1_000_000, "times": 1}])
    fetch = fetcher("--once")
    assert fetch.wait()[0] == 0
    assert (fetch.folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_stalled_download_is_ended_and_tried_again(hub: Hub, fetcher: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "600")  # the library would try again itself, sooner than we look
    hub.put("faults", [{"match": WEIGHTS, "kind": "stall", "after_bytes": 1_000_000, "times": 1}])
    # Longer than a starved machine takes from one byte to the next, which no attempt would survive.
    fetch = fetcher("--once", "--stall-s", "20")
    code, said = fetch.wait()
    assert code == 0
    assert "no byte arrived" in said
    assert (fetch.folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_damaged_file_is_noticed_and_fetched_anew(hub: Hub, fetcher: Start) -> None:
    hub.put("faults", [{"match": WEIGHTS, "kind": "corrupt", "times": 1}])
    fetch = fetcher("--once")
    code, said = fetch.wait()
    assert code == 0
    assert "model.safetensors is damaged" in said
    assert (fetch.folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_hub_in_trouble_is_asked_again(hub: Hub, fetcher: Start) -> None:
    hub.put("faults", [{"match": f"api/models/{MODEL}*", "kind": "status", "status": 503, "times": 1}])
    assert fetcher("--once").wait()[0] == 0


@pytest.mark.parametrize(("token", "code", "reason"), [(None, 10, "ModelGated"), ("hf_out", 10, "ModelGated")])
def test_a_gated_model_ends_with_its_reason_at_once(
    hub: Hub, fetcher: Start, token: str | None, code: int, reason: str
) -> None:
    hub.put("access", {"repos": {MODEL: "gated"}, "tokens": TOKENS})
    fetch = fetcher(token=token)
    ended, said = fetch.wait()
    assert (ended, told(said)["reason"]) == (code, reason)
    assert "attempt" not in said
    assert token is None or token not in said


def test_a_gated_model_comes_with_a_token_that_may_read_it(hub: Hub, fetcher: Start) -> None:
    hub.put("access", {"repos": {MODEL: "gated"}, "tokens": TOKENS})
    assert fetcher("--once", token="hf_in").wait()[0] == 0


def test_an_unknown_token_is_told_apart(hub: Hub, fetcher: Start) -> None:
    hub.put("access", {"tokens": TOKENS})
    code, said = fetcher(token="hf_wrong").wait()
    assert (code, told(said)["reason"]) == (12, "ModelTokenInvalid")
    assert "hf_wrong" not in said


def test_a_token_is_in_no_environment_that_code_beside_it_could_read(hub: Hub, fetcher: Start) -> None:
    hub.put("access", {"repos": {MODEL: "gated"}, "tokens": TOKENS})
    fetch = fetcher(token="hf_in")
    fetch.wait_until_complete()
    assert b"hf_in" not in Path(f"/proc/{fetch.process.pid}/environ").read_bytes()


def test_a_secret_without_a_token_is_told_before_the_hub_is_asked(fetcher: Start) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    code, said = fetcher(endpoint=away, revision="a" * 40, token=" \n").wait()
    assert (code, told(said)["reason"]) == (12, "ModelTokenInvalid")
    assert "modelAccessSecret" in told(said)["message"] and "attempt" not in said


def test_a_revision_that_is_not_there_is_not_found(fetcher: Start) -> None:
    code, said = fetcher(revision="0" * 40).wait()
    assert (code, told(said)["reason"]) == (11, "ModelNotFound")


def test_a_hub_that_is_away_is_given_up_after_a_bound(fetcher: Start) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    code, said = fetcher("--attempts", "2", endpoint=away, revision="a" * 40).wait()
    assert (code, told(said)["reason"]) == (20, "ModelUnreachable")
    assert away in told(said)["message"]


def test_a_stop_on_the_way_ends_the_download_and_keeps_what_arrived(hub: Hub, fetcher: Start) -> None:
    hub.put("faults", [{"match": WEIGHTS, "kind": "stall", "after_bytes": 1_000_000}])
    fetch = fetcher()
    wait_for((fetch.folder / "config.json").exists, "the first file arrived")
    children = Path(f"/proc/{fetch.process.pid}/task/{fetch.process.pid}/children").read_text().split()
    fetch.process.send_signal(signal.SIGTERM)
    assert fetch.wait()[0] == 143
    assert children
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert "config.json" in names(fetch.folder)
    assert ".complete" not in names(fetch.folder)
    hub.put("faults", [])
    assert fetcher("--once").wait()[0] == 0


def test_a_name_that_leaves_the_folder_is_refused(fetcher: Start) -> None:
    fetch = fetcher(revision="../../etc")
    assert fetch.wait()[0] == 2
    assert not (fetch.folder).exists()
