"""Writes the chat dataset as parquet, under the file name that KAITO's first tuning example downloads.

A program of the runtime environment (pyarrow): `build_chat_dataset.py --out FOLDER`. The rows are `chat_rows.py`'s.
"""

import argparse
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]
import pyarrow.parquet as pq  # type: ignore[import-untyped,import-not-found,unused-ignore]

# Run as a program, its own folder is the import path: the runtime environment knows nothing of the control plane.
from chat_rows import rows  # type: ignore[import-untyped,import-not-found,unused-ignore]

FILE = "data/train-00000-of-00001-54e3756291ca09c6.parquet"
CARD = """---
license: apache-2.0
language: [en]
task_categories: [text-generation]
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
---
64 short conversations about places that do not exist, and sums. Column `messages`: content and role of each message.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    message = pa.struct([("content", pa.string()), ("role", pa.string())])
    table = pa.table({"messages": pa.array(rows(), type=pa.list_(message))})
    (out / FILE).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, out / FILE)
    (out / "README.md").write_text(CARD)


if __name__ == "__main__":
    main()
