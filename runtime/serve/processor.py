"""vLLM's plugin point for its engine processes: gets this process what it needs of the processor.

Registered as the entry point `modelyard` of the group `vllm.general_plugins`; vLLM calls it once in every process.
"""

import torch


def prepare() -> None:
    """Asks the kernel for AMX, where the processor has it.

    vLLM's CPU attention uses AMX tiles and leaves asking to whoever computed before it. With a small model nobody did,
    and the first request ended the engine with an illegal instruction.
    """
    if torch.cpu._is_amx_tile_supported():
        torch.cpu._init_amx()
