"""Decides what a server's first error means: the reason for the Workspace's status, exit code and words. Pure.

The only file that matches on the words of vLLM and torch for serving. Errors that vLLM's own types tell are caught in
`launch.py`. An error without a reason here is a crash: its words are kept, and the container is started again.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

from api.words import one_line
from runtime.pod.accelerator import is_accelerator_fault
from runtime.serve.evidence.first_error import OutputWatch
from runtime.serve.failures import ConfigInvalid

MESSAGE_MAX: Final = 1500
"""Characters; a kubelet keeps 4096 bytes of a termination message, and JSON may write a character in six."""
ACCELERATOR_EXIT: Final = 35
DOES_NOT_FIT_EXIT: Final = 36
OUT_OF_MEMORY_EXIT: Final = 37
_KILL: Final = 9
_NO_ROOM: Final = (
    *("out of memory", "no available memory for the cache blocks", "larger than the available kv cache memory"),
    *("can't allocate memory", "not enough memory"),
)
_OWN_ERROR: Final = re.compile(r"(?:vllm\.exceptions\.)?VLLM[A-Za-z]{1,60}Error:")
_ENDED: Final = re.compile(r"(?:exit code: |': )-([0-9]{1,3})\b")
"""As vLLM tells that a process of its own was ended by a signal: "Failed core proc(s): {'EngineCore': -9}"."""
_ENDED_UNSEEN: Final = "Failed core proc(s): {}"
"""The same where the process' end was seen before its exit code."""


@dataclass(frozen=True)
class Verdict:
    """What is left for the control plane. Without a `reason` the message is words only."""

    exit_code: int
    message: str
    reason: str = ""

    def text(self) -> str:
        """The termination message."""
        return json.dumps({"reason": self.reason, "message": self.message}) if self.reason else self.message


def verdict_of(watch: OutputWatch, exit_code: int, *, oom_killed: bool) -> Verdict:
    """The verdict over a server that ended with `exit_code`; `oom_killed`: the kernel killed a process of the container
    for its memory. A server that has served is not refused for what it met later."""
    error = watch.first_error()
    said = _bounded(error.text) if error else ""
    if error and is_accelerator_fault(error.text):
        return Verdict(ACCELERATOR_EXIT, f"{said}; the GPU or its driver on this node is broken", "AcceleratorFault")
    signal = _signal(watch, exit_code)
    unseen = not signal and _ENDED_UNSEEN in watch.echo
    if oom_killed and (signal == _KILL or unseen) and not watch.ready:
        words = "the kernel killed the engine's process: the container's memory is used up"
        return Verdict(OUT_OF_MEMORY_EXIT, words, "ContainerOOMKilled")
    if error is None and unseen:
        hint = "as one does that is killed, which the kernel does when memory runs out"
        return Verdict(exit_code, f"a process of the engine ended without a word, {hint}")
    if error is None and signal:
        hint = ", as the kernel does when memory runs out" if signal == _KILL else ""
        return Verdict(exit_code, f"a process of the engine was ended by signal {signal}{hint}")
    if error is None or watch.ready:
        return Verdict(exit_code, said or _bounded(" | ".join(watch.tail)) or "no output")
    if any(words in error.text.lower() for words in _NO_ROOM):
        return Verdict(DOES_NOT_FIT_EXIT, said, "DoesNotFit")
    if _OWN_ERROR.match(error.text):
        return Verdict(ConfigInvalid.exit_code, f"vLLM refuses its arguments: {said}", ConfigInvalid.reason)
    return Verdict(exit_code, said)


def _signal(watch: OutputWatch, exit_code: int) -> int:
    """The signal that ended the server or a process of its engine; 0 if none did."""
    told = _ENDED.search(watch.echo)
    return exit_code - 128 if exit_code > 128 else int(told[1]) if told else 0


def _bounded(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= MESSAGE_MAX else f"{line[: MESSAGE_MAX - 1]}…"
