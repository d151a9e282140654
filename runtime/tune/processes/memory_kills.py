"""Counts the OOM kills in this container, which end a process without an exception to report."""

from pathlib import Path

EVENTS = Path("/sys/fs/cgroup/memory.events")


def memory_kills(events: Path = EVENTS) -> int:
    """Returns the count since the container's start; 0 if the file does not exist."""
    if not events.exists():
        return 0
    counts = dict(line.split() for line in events.read_text().splitlines())
    return int(counts.get("oom_kill", 0))
