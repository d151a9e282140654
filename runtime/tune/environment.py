"""The environment variables under which the processes of a training run, as a pure function.

The network is for nothing here: weights and data are files. What the pod's author has set stays as it is, but for what
would make processes disagree and for secrets, which a training has no use for.
"""

from collections.abc import Mapping

SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH")


def variables(given: Mapping[str, str], *, cache: str, cpus: int, processes: int) -> dict[str, str]:
    """The whole environment; `cache` is a folder that may be written to, `cpus` are those of the container."""
    wanted = {
        "OMP_NUM_THREADS": str(max(1, cpus // processes)),
        # CPUs are shared, and threads that spin while they wait take from others what those need. Alone on 2 cores a
        # step was some 15 % faster with ACTIVE (docs/performance.md). On a GPU it makes no difference.
        "OMP_WAIT_POLICY": "PASSIVE",
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
