"""vLLM's plugin point for its engine processes: requests CPU features from the kernel.

Registered as the entry point `modelyard` of the group `vllm.general_plugins`; vLLM calls it once in every process.
"""

import torch


def prepare() -> None:
    """Requests AMX from the kernel if the processor has it.

    vLLM's CPU attention uses AMX tiles but relies on an earlier computation to request them. With a small model there
    is none, and the first request ended the engine with an illegal instruction.
    """
    if torch.cpu._is_amx_tile_supported():
        torch.cpu._init_amx()
