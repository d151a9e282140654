"""A process of ours: how it is asked to stop, what it logs, and its exit code."""

import signal
import subprocess
import sys

import pytest

HEAD = """
import asyncio, logging
from process.run import run

log = logging.getLogger("our.module")

async def main(stop: asyncio.Event) -> None:
    log.info("up")
"""
UNTIL_STOPPED = HEAD + "    await stop.wait()\n    log.info('drained')\nrun(main)\n"
BROKEN = HEAD + "    raise OSError('the address is taken')\nrun(main)\n"
REFUSED = "from process.exit import CannotStart" + HEAD + "    raise CannotStart('no such host: x')\nrun(main)\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_it_finish_and_end_with_0(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", UNTIL_STOPPED], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().endswith(" INFO our.module up\n")
        process.send_signal(number)
        assert process.stderr.readline().endswith(" INFO our.module drained\n")
        assert process.wait() == 0


def test_an_unrecoverable_error_ends_it_with_1() -> None:
    ended = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.endswith("OSError: the address is taken\n")


def test_what_is_configured_wrongly_is_told_in_one_line() -> None:
    ended = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    _, told = ended.stderr.splitlines()
    assert told.endswith(" CRITICAL process.run no such host: x")
