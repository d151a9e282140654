"""Run in the runtime environment: writes the same rows in every format, reads them as a training does, prints them.

`reading_formats.py FOLDER`: the last line is JSON, {file: [[role, content], ...] of its first row, or why not}.
"""

import json
import sys
from pathlib import Path

from datasets import Dataset

from api.configs.training_sections import DatasetConfig
from runtime.pod.exit import Failure
from runtime.rows.files import data_files
from runtime.tune.data.read import Reading

ROWS = [{"prompt": "one", "completion": "eins"}, {"prompt": "two", "completion": "zwei"}]


def main(folder: Path) -> None:
    rows = Dataset.from_list(ROWS)
    rows.to_parquet(folder / "a.parquet")
    rows.to_csv(folder / "b.csv")
    rows.to_json(folder / "c.jsonl")
    (folder / "d.json").write_text(json.dumps(ROWS))
    rows.save_to_disk(folder / "saved")
    next((folder / "saved").glob("*.arrow")).rename(folder / "e.arrow")
    chat = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "eins"}]
    Dataset.from_list([{"messages": chat}]).to_parquet(folder / "f.parquet")
    (folder / "g.csv").write_text("text\none eins\n")
    (folder / "h.parquet").write_bytes(b"<html>not found</html>")
    (folder / "i.jsonl").write_text('{"prompt": "one", "completion": "eins"}\n{"prompt": "tw')
    (folder / "j.json").write_text('{"prompt"')
    found = {}
    for file in data_files(folder, DatasetConfig()):
        if "/" not in file.name:
            found[file.name] = _first(Reading([file], DatasetConfig()))
    print(json.dumps(found))


def _first(reading: Reading) -> object:
    try:
        examples = [example for _, example in reading.examples()]
    except Failure as failure:
        return [failure.kind.reason, failure.message]
    first = examples[0]
    return first.text or [[message["role"], message["content"]] for message in first.messages]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
