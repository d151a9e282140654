"""Recognizes by its words an error of a GPU, its driver or the connection between GPUs: the node's fault.

Does not import the libraries that write them. Sources: torch's `c10/cuda` and `ProcessGroupNCCL`, CUDA and NVML.
"""

from typing import Final

_WORDS: Final = (
    *("cuda error", "nccl error", "cublas_status", "cudnn_status", "ecc error", "device-side assert"),
    *("cuda driver version is insufficient", "cuda driver initialization failed", "no cuda gpus are available"),
    *(
        "unexpected error from cudagetdevicecount",
        "forward compatibility was attempted",
        "nvml: driver/library version",
    ),
    *("unhandled cuda error", "unhandled system error, nccl", "acceleratorerror", "distbackenderror"),
)
_NO_MEMORY: Final = ("out of memory", "cublas_status_alloc_failed")


def is_accelerator_fault(text: str) -> bool:
    """Whether the text tells of a fault of the device; a lack of memory is none."""
    lower = text.lower()
    return any(word in lower for word in _WORDS) and not any(word in lower for word in _NO_MEMORY)
