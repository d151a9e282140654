"""The options of a user's inference_config.yaml that change a model's memory or layout."""

from dataclasses import dataclass
from typing import Final

from api.configs.inference import InferenceConfig
from presets.machines.machine import Batch

KV_BYTES: Final = {"auto": 2, "bfloat16": 2, "float16": 2, "fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "fp8_inc": 1}
"""Bytes of one key or value, by vLLM's --kv-cache-dtype. `auto` is the model's own type, 16 bits wide."""


ASSUMED_RANK: Final = 64
"""Of adapters, whose files are not at hand when a plan is made: few have more."""


@dataclass(frozen=True)
class VllmOverrides:
    """None means that nothing was asked for. `context` is in tokens, `utilization` a share of the GPU's memory.

    `cache_bytes` are of the cache on one GPU; `offload_gib` is main memory for weights of one GPU, and
    `offload_cache_gib` for the cache of all.
    """

    context: int | None = None
    tensor: int | None = None
    pipeline: int | None = None
    data: int | None = None
    kv_dtype: str = "auto"
    dtype: str = "auto"
    auto_tools: bool = False
    tool_parser: str = ""
    utilization: float | None = None
    batch_tokens: int | None = None
    sequences: int | None = None
    eager: bool = False
    cache_bytes: int | None = None
    offload_gib: float = 0.0
    offload_cache_gib: float = 0.0
    adapters_off: bool = False
    adapters: int = 0
    adapter_rank: int = ASSUMED_RANK

    @property
    def kv_bytes(self) -> int:
        """Bytes of one key or value. Types that are not in the table are taken as 16 bits wide: never too little."""
        return KV_BYTES.get(self.kv_dtype, 2)

    def batch(self, default: Batch) -> Batch:
        """The batch that vLLM will take, where this machine's default is `default`."""
        return Batch(tokens=self.batch_tokens or default.tokens, sequences=self.sequences or default.sequences)


def vllm_overrides(config: InferenceConfig | None, adapters: int = 0) -> VllmOverrides:
    """What of the file matters here. Its values are already of the right types and within vLLM's limits. Without
    `adapters`, room for them is not made, whatever the file says."""
    if config is None:
        return VllmOverrides(adapters=adapters)
    return VllmOverrides(
        context=config.max_model_len,
        tensor=_whole(config, "tensor-parallel-size"),
        pipeline=_whole(config, "pipeline-parallel-size"),
        data=_whole(config, "data-parallel-size"),
        kv_dtype=str(config.vllm.get("kv-cache-dtype", "auto")),
        dtype=str(config.vllm.get("dtype", "auto")),
        auto_tools=config.vllm.get("enable-auto-tool-choice") is True,
        tool_parser=str(config.vllm.get("tool-call-parser", "")),
        utilization=config.number("gpu-memory-utilization") or config.number("device-memory-utilization"),
        batch_tokens=_whole(config, "max-num-batched-tokens"),
        sequences=_whole(config, "max-num-seqs"),
        eager=config.vllm.get("enforce-eager") is True,
        cache_bytes=_whole(config, "kv-cache-memory-bytes"),
        offload_gib=config.number("cpu-offload-gb") or 0.0,
        offload_cache_gib=config.number("kv-offloading-size") or 0.0,
        adapters_off=config.vllm.get("enable-lora") is False,
        adapters=(_whole(config, "max-loras") or adapters) if adapters else 0,
        adapter_rank=_whole(config, "max-lora-rank") or ASSUMED_RANK,
    )


def _whole(config: InferenceConfig, option: str) -> int | None:
    given = config.number(option)
    return None if given is None else int(given)
