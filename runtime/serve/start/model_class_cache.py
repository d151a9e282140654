"""Copies vLLM's cached information on model classes from the image into this pod's cache.

vLLM starts a process that imports everything (13 s on 2 cores) to inspect a model class, and caches the result.
`warmup.py` fills that cache when the image is built; entries are keyed by a hash of the class's source, so those of
another version are not used.
"""

import shutil
from pathlib import Path

BAKED = Path("/opt/modelyard/vllm-notes/modelinfos")
FOLDER = "modelinfos"


def seed_notes(cache: Path, baked: Path = BAKED) -> int:
    """Copies entries missing from `cache` and returns their number. Outside the image there are none to copy."""
    if not baked.is_dir():
        return 0
    target = cache / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    missing = [note for note in sorted(baked.iterdir()) if not (target / note.name).exists()]
    for note in missing:
        shutil.copyfile(note, target / note.name)
    return len(missing)
