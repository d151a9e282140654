"""What a process in a container may do, as the kernel sees it."""

import os
from pathlib import Path

import psutil

USER = "65532"


def assert_without_rights(process: psutil.Process) -> None:
    """Of no special user, without capabilities, without a way to get some, and with a filter of system calls."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert set(fields["Uid"].split()) == set(fields["Gid"].split()) == {USER}
    assert int(fields["CapBnd"], 16) == int(fields["CapEff"], 16) == 0
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")


def assert_writable(process: psutil.Process, *folders: str) -> None:
    """These, and not the root of its file system."""
    root = Path(f"/proc/{process.pid}/root")
    assert os.statvfs(root).f_flag & os.ST_RDONLY
    assert not [folder for folder in folders if os.statvfs(root / folder).f_flag & os.ST_RDONLY]
