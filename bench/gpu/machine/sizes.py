"""How much is asked of a device, and how long each part may take: one table for GPUs, one for CPUs.

On CPUs the same parts run with a tiny model and few tokens: that shows that they work, not how fast they are.
"""

from dataclasses import dataclass
from typing import Final, Literal

Device = Literal["cuda", "cpu"]


@dataclass(frozen=True)
class Size:
    """What one run does. Lengths are in tokens; `words` is the range of a training row's answer in words."""

    prompts: int
    concurrency: int
    warm_up_requests: int
    prompt_tokens: int
    answer_tokens: int
    steps: int
    """Of a training; a multiple of `logging_steps`, over which the last loss is a mean."""
    logging_steps: int
    warm_up_steps: int
    rows_a_step: int
    max_length: int
    words: tuple[int, int]
    dtype: Literal["bfloat16", "float32"]
    kv_cache_gib: float | None
    """On CPUs, of main memory; on GPUs the plan decides."""
    context: int | None
    """The same in tokens."""


ON_GPU: Final = Size(
    prompts=512,
    # A model of this size is so quick that clients and API server, not the GPU, bound more of them.
    concurrency=16,
    warm_up_requests=64,
    prompt_tokens=512,
    answer_tokens=128,
    steps=60,
    logging_steps=10,
    warm_up_steps=5,
    rows_a_step=8,
    max_length=512,
    words=(100, 500),
    dtype="bfloat16",
    kv_cache_gib=None,
    context=None,
)
# float32: a CPU without units for bfloat16 emulates it.
ON_CPU: Final = Size(
    prompts=8,
    concurrency=2,
    warm_up_requests=2,
    prompt_tokens=32,
    answer_tokens=16,
    steps=10,
    logging_steps=5,
    warm_up_steps=2,
    rows_a_step=4,
    max_length=64,
    words=(8, 60),
    dtype="float32",
    kv_cache_gib=0.125,
    context=256,
)
SIZES: Final[dict[Device, Size]] = {"cuda": ON_GPU, "cpu": ON_CPU}

WITHIN_S: Final[dict[Device, float]] = {"cuda": 455.0, "cpu": 3300.0}
"""Seconds for all parts together: a check on a GPU takes less than eight minutes."""
SERVER_S: Final[dict[Device, float]] = {"cuda": 140.0, "cpu": 1200.0}
"""Seconds of a part that starts a server, its measurement included. torch.compile and CUDA graphs come first."""
TRAINING_S: Final[dict[Device, float]] = {"cuda": 100.0, "cpu": 900.0}
IMPORTS_S: Final[dict[Device, float]] = {"cuda": 90.0, "cpu": 600.0}
FREE_S: Final = 20.0
"""Seconds after a program's end until the driver has taken back its memory."""
STOP_S: Final = 20.0
"""Seconds that a program has after SIGTERM."""
