"""Tells whether a file was replaced, for those who read one again when it changes. What they read is theirs to say."""

from pathlib import Path


def state_of(file: Path | None) -> tuple[int, ...] | None:
    """What differs when the file has changed; that of a mounted Secret or ConfigMap is another file then. None if there
    is none."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None
