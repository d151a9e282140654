"""Every format that is offered is read, each file for itself; what is broken is told with its name."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.runtime.tuning import ENDS_S, PYTHON

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)
PAIR = [["user", "one"], ["assistant", "eins"]]


def test_every_format_is_read_and_what_is_broken_is_named(tmp_path: Path) -> None:
    argv = [str(PYTHON), str(Path(__file__).with_name("reading_formats.py")), str(tmp_path)]
    more = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / ".cache")}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=ENDS_S, env=os.environ | more, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    good = {name: found[name] for name in ("a.parquet", "b.csv", "c.jsonl", "d.json", "e.arrow", "f.parquet")}
    assert good == dict.fromkeys(good, PAIR)
    assert found["g.csv"] == "one eins"
    for name in ("h.parquet", "i.jsonl", "j.json"):
        reason, message = found[name]
        assert reason == "DataUnreadable" and name in message
