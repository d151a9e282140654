"""The environment variables under which the processes of a training run, as a pure function.

The network is for nothing here: weights and data are files. What the pod's author has set stays as it is, but for what
would make processes disagree and for secrets, which a training has no use for.
"""

from collections.abc import Mapping

# On a CPU a step asks for the same few gigabytes again and again. glibc gives large pieces back to the kernel, which
# hands them out anew, page by page and zeroed. Kept, steps were 1.15 to 1.2 times as fast, and peak memory was some
# 12 % higher (docs/performance.md). The names are in glibc's manual, "Malloc Tunable Parameters".
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH")


def variables(given: Mapping[str, str], *, cache: str, cpus: int, processes: int, on_gpu: bool) -> dict[str, str]:
    """The whole environment; `cache` is a folder that may be written to, `cpus` are those of the container."""
    wanted = ({} if on_gpu else KEPT_MEMORY) | {
        "OMP_NUM_THREADS": str(max(1, cpus // processes)),
        "HF_HOME": f"{cache}/huggingface",
        "TOKENIZERS_PARALLELISM": "false",
        "DO_NOT_TRACK": "1",
        # Rows differ in length, so blocks of every size are asked for; without this memory ends up in pieces.
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
    }
    ruled = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_CACHE": f"{cache}/datasets"}
    ruled |= {"PYTHONUNBUFFERED": "1", "WANDB_DISABLED": "true", "TQDM_DISABLE": "1"}
    return wanted | {name: value for name, value in given.items() if name not in SECRETS} | ruled


def rank_variables(rank: int, processes: int, port: int) -> dict[str, str]:
    """What torch.distributed and accelerate read; nothing for a process that trains alone."""
    if processes == 1:
        return {}
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
