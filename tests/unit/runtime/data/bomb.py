"""Run as a process of its own: reads one file as `runtime.data` does, and says how much memory that took.

`bomb.py layer|table|tensors FILE [LIMIT]`; the last line is JSON: `peak`, MiB above what the imports take, and `said`.
"""

import json
import sys
import tempfile
from pathlib import Path

from runtime.data.__main__ import MEMORY_MAX
from runtime.data.archives import UnsafeArchive
from runtime.data.unpacking import SizeLimitExceeded, Unpacking
from runtime.pod.memory_limit import limit_memory
from runtime.pod.safetensors import tensors_of
from runtime.rows.reading import FileUnreadable, read_table


def read(kind: str, file: Path) -> str:
    try:
        if kind == "table":
            return f"{sum(1 for _ in read_table(file).rows)} rows"
        if kind == "tensors":
            return f"{len(tensors_of(file))} tensors"
        with tempfile.TemporaryDirectory() as folder:
            Unpacking(Path(folder), 2**30, 10_000, lambda count: None).layer(file)
            return "unpacked"
    except (FileUnreadable, UnsafeArchive, SizeLimitExceeded, ValueError) as error:
        return str(error)


def peak_mib() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    limit_memory(int(sys.argv[3]) if sys.argv[3:] else MEMORY_MAX)
    before = peak_mib()
    said = read(sys.argv[1], Path(sys.argv[2]))
    print(json.dumps({"peak": round(peak_mib() - before), "said": said}))
