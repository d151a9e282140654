"""In which type a CPU computes: the model's own where there are units for bfloat16, float32 where there are none.

Without such units bfloat16 is emulated, and rounded after every step, so that words between which the model hardly
prefers one come out otherwise than on the next machine. GPUs are vLLM's to judge.
"""

from collections.abc import Set
from pathlib import Path

CPU_FACTS = Path("/proc/cpuinfo")
# As Linux names them: x86's two, and Arm's.
BFLOAT16_UNITS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def dtype_on_cpu(asked: str, flags: Set[str]) -> str:
    """vLLM's --dtype for a model that is served on a CPU with these flags; what somebody asked for stays."""
    return "float32" if asked == "auto" and not flags & BFLOAT16_UNITS else asked


def flags_in(facts: str) -> frozenset[str]:
    """The flags of the first CPU in /proc/cpuinfo."""
    lines = (line.partition(":") for line in facts.splitlines())
    return next(
        (frozenset(words.split()) for name, _, words in lines if name.strip() in ("flags", "Features")), frozenset()
    )


def cpu_flags() -> frozenset[str]:
    return flags_in(CPU_FACTS.read_text())
