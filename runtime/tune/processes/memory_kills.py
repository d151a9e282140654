"""How often the kernel ended a process of this container for want of memory: then no exception was left to be read."""

from pathlib import Path

EVENTS = Path("/sys/fs/cgroup/memory.events")


def memory_kills(events: Path = EVENTS) -> int:
    """The count since the container's start; 0 where there is no such file."""
    if not events.exists():
        return 0
    counts = dict(line.split() for line in events.read_text().splitlines())
    return int(counts.get("oom_kill", 0))
