"""Carries vLLM's notes on model classes from the image into the cache of this pod.

vLLM starts a process that imports everything (13 s on 2 cores) to find out what a model class can do, and keeps the
answer in its cache. `warmup.py` makes those answers when the image is built; they are keyed by a hash of the class's
source, so notes of another version are not used.
"""

import shutil
from pathlib import Path

BAKED = Path("/opt/modelyard/vllm-notes/modelinfos")
FOLDER = "modelinfos"


def seed_notes(cache: Path, baked: Path = BAKED) -> int:
    """Copies what `cache` lacks; the number of notes copied. Outside the image there is nothing to copy."""
    if not baked.is_dir():
        return 0
    target = cache / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    missing = [note for note in sorted(baked.iterdir()) if not (target / note.name).exists()]
    for note in missing:
        shutil.copyfile(note, target / note.name)
    return len(missing)
