"""Selects the dtype on CPUs: the model's own with hardware support for bfloat16, float32 without it.

Without that support bfloat16 is emulated and rounded after every step, so that near ties between tokens resolve
differently from machine to machine. On GPUs the choice is left to vLLM.
"""

from collections.abc import Set
from pathlib import Path

CPU_FACTS = Path("/proc/cpuinfo")
# Linux's names of the flags: two for x86, one for Arm.
BFLOAT16_UNITS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def dtype_on_cpu(asked: str, flags: Set[str]) -> str:
    """Returns vLLM's --dtype for a CPU with these flags; an explicitly requested dtype is kept."""
    return "float32" if asked == "auto" and not flags & BFLOAT16_UNITS else asked


def flags_in(facts: str) -> frozenset[str]:
    """Returns the flags of the first CPU in /proc/cpuinfo."""
    lines = (line.partition(":") for line in facts.splitlines())
    return next(
        (frozenset(words.split()) for name, _, words in lines if name.strip() in ("flags", "Features")), frozenset()
    )


def cpu_flags() -> frozenset[str]:
    return flags_in(CPU_FACTS.read_text())
