"""What happens before vLLM runs: reading serve.json, waiting for weights, seeding notes."""

import threading
from pathlib import Path
from typing import Any

import pytest

from api.pods.serve import ServeConfig
from runtime.serve.failures import ConfigInvalid, WeightsMissing
from runtime.serve.server import main, read_config
from runtime.serve.start.model_class_cache import seed_notes
from runtime.serve.start.waiting import wait_for_weights


def a_config(folder: Path, **fields: Any) -> ServeConfig:
    given = {"model": "acme/tiny", "revision": "abc", "weights_path": str(folder), "served_model_name": "tiny"}
    return ServeConfig.model_validate(given | fields)


def test_weights_that_are_there_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / ".complete").touch()
    assert wait_for_weights(a_config(tmp_path), print) < 1


def test_weights_that_come_later_are_waited_for(tmp_path: Path) -> None:
    timer = threading.Timer(0.2, (tmp_path / ".complete").touch)
    timer.start()
    assert wait_for_weights(a_config(tmp_path), print, look_s=0.01) > 0.1
    timer.join()


def test_weights_that_never_come_end_the_wait(tmp_path: Path) -> None:
    (tmp_path / "part.safetensors").write_bytes(b"x" * 4096)
    with pytest.raises(WeightsMissing, match="not complete after 1 s"):
        wait_for_weights(a_config(tmp_path, weights_deadline_s=1), print, look_s=0.05)


def test_a_config_that_lacks_a_field_names_it(tmp_path: Path) -> None:
    file = tmp_path / "serve.json"
    file.write_text('{"model": "acme/tiny"}')
    with pytest.raises(ConfigInvalid, match="revision: Field required"):
        read_config(file)


def test_a_config_that_is_missing_ends_the_container_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(tmp_path / "none.json")]) == ConfigInvalid.exit_code
    assert '"reason": "ConfigInvalid"' in capsys.readouterr().out


def test_notes_are_copied_once_and_never_over_newer_ones(tmp_path: Path) -> None:
    baked, cache = tmp_path / "baked", tmp_path / "cache"
    baked.mkdir()
    (baked / "a.json").write_text("old")
    (baked / "b.json").write_text("old")
    (cache / "modelinfos").mkdir(parents=True)
    (cache / "modelinfos" / "a.json").write_text("new")
    assert seed_notes(cache, baked) == 1
    assert (cache / "modelinfos" / "a.json").read_text() == "new"
    assert seed_notes(cache, baked) == 0


def test_outside_the_image_there_is_nothing_to_copy(tmp_path: Path) -> None:
    assert seed_notes(tmp_path / "cache", tmp_path / "none") == 0


def test_weights_of_the_node_are_served_as_they_lie_or_missed_by_name(tmp_path: Path) -> None:
    config = a_config(tmp_path, fetched=False)
    with pytest.raises(WeightsMissing, match=r"/opt/kaito/models/.* on the node holds no model"):
        wait_for_weights(config, print)
    Path(config.weights_path).mkdir(parents=True, exist_ok=True)
    (Path(config.weights_path) / "config.json").write_text("{}")
    assert wait_for_weights(config, print) == 0
