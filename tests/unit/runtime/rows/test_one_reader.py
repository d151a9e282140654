"""Whatever the files are: what the Job without a GPU has accepted the training reads, the same rows, no more and no
fewer, and what it refuses it refuses with the file's name."""

import csv
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.data.check_rows import text_of
from runtime.pod.exit import Failure
from tests.unit.runtime.rows.judging import judged, learnt, pairs
from tests.unit.runtime.rows.odd_files import FILES

CHOICES = st.sampled_from([{}, {}, {}, {"response_column": "output"}, {"messages_column": "messages"}])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES, CHOICES)
def test_what_is_judged_is_what_is_learnt(files: dict[str, tuple[str, bytes]], chosen: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stem, (ending, content) in files.items():
            (folder / f"{stem}{ending}").parent.mkdir(exist_ok=True)
            (folder / f"{stem}{ending}").write_bytes(content)
        try:
            manifest = judged(folder, **chosen)
        except Failure as failure:
            # Every other exception is a bug, and a restart on a node that was bought.
            known = [
                failure.kind.reason in ("DataUnreadable", "DataColumnsUnknown"),
                failure.kind.reason == "DataEmpty",
            ]
            assert any(known)
            assert known[1] or any(f"{stem}{ending}: " in failure.message for stem, (ending, _) in files.items())
            return
        reading, found = learnt(folder, **chosen)
        assert (reading.rows_read, reading.unusable, len(found)) == (
            *(manifest.rows, manifest.rows - manifest.usable, manifest.usable),
        )
        for _, example in found:
            assert text_of(example).encode(), "nothing is learnt that is no text"
            assert example.text or any(message["role"] == "assistant" for message in example.messages)
            assert all(isinstance(message["content"], str) for message in example.messages)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5))
def test_every_format_gives_back_the_texts_that_were_written(rows: list[tuple[str, str]]) -> None:
    written = [{"prompt": prompt, "completion": answer} for prompt, answer in rows]
    table = pa.Table.from_pylist(written)
    lines = "\n".join(json.dumps(row) for row in written)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.jsonl").write_text(lines)
        (folder / "b.json").write_text(json.dumps(written, indent=1, ensure_ascii=False))
        with (folder / "c.csv").open("w", newline="") as text:
            writer = csv.DictWriter(text, ["prompt", "completion"], quoting=csv.QUOTE_ALL)
            writer.writeheader()
            writer.writerows(written)
        pa.parquet.write_table(table, folder / "d.parquet")
        with pa.ipc.new_stream(str(folder / "e.arrow"), table.schema) as stream:
            stream.write_table(table)
        assert pairs(folder) == rows * 5
