"""Computes the environment variables of the training processes, in a pure function.

Disables network access: weights and data are files. Variables that the pod sets are kept, except those that would make
processes disagree, and secrets, which a training does not need.
"""

from collections.abc import Mapping

# On a CPU every step allocates the same few gigabytes. glibc returns large blocks to the kernel, which hands them out
# again page by page and zeroed. Keeping them made steps 1.15 to 1.2 times as fast and peak memory about 12 % higher
# (docs/performance.md). The names are in glibc's manual, "Malloc Tunable Parameters".
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH")


def variables(given: Mapping[str, str], *, cache: str, cpus: int, processes: int, on_gpu: bool) -> dict[str, str]:
    """Returns the whole environment; `cache` is a writable folder, `cpus` the number of the container's CPUs."""
    wanted = ({} if on_gpu else KEPT_MEMORY) | {
        "OMP_NUM_THREADS": str(max(1, cpus // processes)),
        "HF_HOME": f"{cache}/huggingface",
        "TORCHINDUCTOR_CACHE_DIR": f"{cache}/inductor",
        "TRITON_CACHE_DIR": f"{cache}/triton",
        "CUDA_CACHE_PATH": f"{cache}/cuda",
        "XDG_CACHE_HOME": cache,
        "TOKENIZERS_PARALLELISM": "false",
        "DO_NOT_TRACK": "1",
        # Rows differ in length, so blocks of every size are allocated; without this memory becomes fragmented.
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
    }
    ruled = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_CACHE": f"{cache}/datasets"}
    ruled |= {"PYTHONUNBUFFERED": "1", "WANDB_DISABLED": "true", "TQDM_DISABLE": "1"}
    return wanted | {name: value for name, value in given.items() if name not in SECRETS} | ruled


def rank_variables(rank: int, processes: int, port: int) -> dict[str, str]:
    """Returns the variables of torch.distributed and accelerate; empty for a single process."""
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
