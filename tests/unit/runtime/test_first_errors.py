"""The first error of a server's processes reaches the status, not the last line, which only says that another is gone.

The outputs have the form of vLLM 0.32's with the engine as a process of its own; `tests/runtime` makes real ones.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from api.reasons import REASONS
from runtime.serve.__main__ import oom_kills
from runtime.serve.evidence.first_error import OutputWatch
from runtime.serve.evidence.verdicts import MESSAGE_MAX, Verdict, verdict_of
from runtime.serve.failures import ServeFailure, own_exit_codes

TRACE = ["Traceback (most recent call last):", '  File "core.py", line 1, in run', "    raise it", "    ^^^^^^^^"]
GONE = [
    "Traceback (most recent call last):",
    '  File "server.py", line 71, in <module>',
    "    sys.exit(main())",
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
    "/usr/lib/resource_tracker.py:254: UserWarning: resource_tracker: There appear to be 1 leaked objects",
    "  warnings.warn('resource_tracker: There appear to be %d '",
]


def logged(*lines: str, process: str = "EngineCore", level: str = "ERROR") -> list[str]:
    return [f"({process} pid=93) {level} 11-30 00:29:31 [core.py:1510] {line}".rstrip() for line in lines]


def dying(*error: str, process: str = "EngineCore") -> list[str]:
    """As an engine ends: the error in the log, then again when the process ends, then the server's own."""
    said = logged(f"{process} failed to start.", *TRACE, *error, process=process)
    return [*said, f"Process {process}:", *TRACE, *error, *GONE]


def verdict(*lines: str, code: int = 1, oom_killed: bool = False) -> Verdict:
    watch = OutputWatch()
    for line in lines:
        watch.feed(line)
    return verdict_of(watch, code, oom_killed=oom_killed)


NO_ROOM = (
    "ValueError: To serve at least one request with the model's max seq len (8192), (0.18 GiB KV cache is needed, "
)
NO_ROOM += "which is larger than the available KV cache memory (0.02 GiB)."


def test_the_engines_error_is_told_and_not_the_servers() -> None:
    found = verdict(*dying(NO_ROOM))
    assert found.reason == "DoesNotFit" and found.exit_code not in own_exit_codes()
    assert json.loads(found.text()) == {"reason": "DoesNotFit", "message": NO_ROOM}


def test_an_unknown_error_is_words_and_keeps_its_code() -> None:
    found = verdict(*dying("SafetensorError: Error while deserializing header: incomplete metadata"), code=1)
    assert (found.reason, found.exit_code) == ("", 1)
    assert found.text() == "SafetensorError: Error while deserializing header: incomplete metadata"


def test_of_a_workers_and_an_engines_error_the_workers_came_first() -> None:
    lines = [
        *logged("WorkerProc failed to start.", *TRACE, "AssertionError: 7 heads", process="Worker_TP1"),
        *dying("Exception: WorkerProc initialization failed due to an exception in a background process."),
    ]
    assert verdict(*lines).message == "AssertionError: 7 heads"


def test_of_a_chain_the_first_is_told() -> None:
    cause = "The above exception was the direct cause of the following exception:"
    lines = [*TRACE, "OSError: disk", "", cause, "", *TRACE, "RuntimeError: cannot load", ""]
    assert verdict(*lines, *GONE).message == "OSError: disk"
    assert verdict(*logged("EngineCore failed to start.", *lines), *GONE).message == "OSError: disk"


def test_an_error_that_was_caught_and_logged_is_not_taken_for_the_cause() -> None:
    harmless = logged("Failed to import a plugin", *TRACE, "ImportError: no plugin", process="APIServer")
    assert verdict(*harmless, *dying("ValueError: the cause")).message == "ValueError: the cause"
    assert verdict(*harmless, *TRACE, "KeyError: 'x'").message == "KeyError: 'x'"
    assert verdict(*harmless).message == "ImportError: no plugin"


def test_two_processes_that_write_at_once_are_read_apart() -> None:
    one = logged("EngineCore failed to start.", *TRACE, "ValueError: the cause")
    other = logged("loading", "still loading", "  more", "x", "y", "z", process="Worker", level="INFO")
    mixed = [line for pair in zip(one, other, strict=True) for line in pair]
    assert verdict(*mixed, *GONE).message == "ValueError: the cause"


def test_a_text_of_several_lines_is_kept_in_one() -> None:
    error = ["1 validation error for ModelConfig", "  Value error, User-specified max_model_len (100000) is greater"]
    assert verdict(*TRACE, *error, *GONE).message == " ".join(line.strip() for line in error)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("torch.AcceleratorError: CUDA error: an illegal memory access was encountered", "AcceleratorFault"),
        ("RuntimeError: CUDA driver initialization failed, you might not have a CUDA gpu.", "AcceleratorFault"),
        ("RuntimeError: The NVIDIA driver: CUDA driver version is insufficient for CUDA runtime", "AcceleratorFault"),
        ("RuntimeError: NCCL error in: ProcessGroupNCCL.cpp:94, unhandled cuda error", "AcceleratorFault"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "DoesNotFit"),
        ("RuntimeError: CUDA error: out of memory", "DoesNotFit"),
        ("ValueError: No available memory for the cache blocks. Try increasing it.", "DoesNotFit"),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory", "DoesNotFit"),
        ("vllm.exceptions.VLLMValidationError: The chat template is invalid", "ConfigInvalid"),
        ("VLLMNotFoundError: no such adapter", "ConfigInvalid"),
        ("ValueError: Free memory on device cuda:0 (1/80 GiB) is less than desired", ""),
    ],
)
def test_what_is_known_gets_its_reason(error: str, reason: str) -> None:
    assert verdict(*dying(error)).reason == reason


def test_a_server_that_has_served_is_not_refused_for_what_it_met_later() -> None:
    ready = "(APIServer pid=8) INFO:     Application startup complete."
    later = [*logged("EngineCore encountered a fatal error.", *TRACE, "torch.OutOfMemoryError: CUDA out of memory.")]
    assert verdict(ready, *later, *GONE).text() == "torch.OutOfMemoryError: CUDA out of memory."
    fault = logged("EngineCore encountered a fatal error.", *TRACE, "torch.AcceleratorError: CUDA error: unknown error")
    assert verdict(ready, *fault, *GONE).reason == "AcceleratorFault"
    killed = [*TRACE, GONE[3].replace("{}", "{'EngineCore': -9}")]
    assert "signal 9" in verdict(ready, *killed, oom_killed=True).text()


def test_an_engine_that_was_killed_is_said_to_be() -> None:
    killed = GONE[3].replace("{}", "{'EngineCore': -9}")
    lines = [*TRACE, killed]
    assert verdict(*lines, oom_killed=True).reason == "ContainerOOMKilled"
    assert (
        verdict(*lines).text()
        == "a process of the engine was ended by signal 9, as the kernel does when memory runs out"
    )
    assert "signal 4" in verdict(*TRACE, killed.replace("-9", "-4"), oom_killed=True).text()
    assert "signal 11" in verdict("loading", code=139).text()


def test_an_engine_whose_end_was_seen_before_its_exit_code_is_said_to_be_gone() -> None:
    """vLLM names no process then."""
    assert verdict(*GONE).text() == (
        "a process of the engine ended without a word, as one does that is killed, which the kernel does when memory "
        "runs out"
    )
    assert verdict(*GONE, oom_killed=True).reason == "ContainerOOMKilled"
    own_words = logged("EngineCore failed to start.", *TRACE, "ValueError: 7 heads")
    assert verdict(*own_words, *GONE).text() == "ValueError: 7 heads"


def test_without_an_error_the_last_lines_are_kept() -> None:
    assert verdict("one", "two", "", "three", "four").text() == "two | three | four"
    assert verdict().text() == "no output"


def test_the_message_is_short_and_rewrites_no_terminal() -> None:
    found = verdict(*dying(f"ValueError: \x1b[31m{'x' * 9000}")).text()
    assert len(found.encode()) <= 4096 and len(found) <= MESSAGE_MAX and "\x1b" not in found


def test_endless_output_is_forgotten() -> None:
    watch = OutputWatch()
    for number in range(5000):
        for line in (*TRACE, f"ValueError: {number} " + "x" * 5000):
            watch.feed(line)
    first = watch.first_error()
    assert first and first.text.startswith("ValueError: 0 ")
    assert len(watch._found) < 50


def test_reasons_and_codes_are_of_one_table() -> None:
    kinds: list[type[ServeFailure]] = [ServeFailure, *ServeFailure.__subclasses__()]
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
    assert {kind.reason for kind in kinds} | {"AcceleratorFault", "DoesNotFit", "ContainerOOMKilled"} <= set(REASONS)


def test_kills_of_the_kernel_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "memory.events"
    file.write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n")
    assert (oom_kills(file), oom_kills(tmp_path / "none")) == (2, 0)


def test_what_the_server_itself_has_left_stays(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "runtime.serve", "--config", str(tmp_path / "none.json")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 31
    assert json.loads(done.stdout.splitlines()[-1])["reason"] == "ConfigInvalid"
