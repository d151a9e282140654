"""What a user's inference_config.yaml asks of vLLM, as far as it changes what a model takes or how it is spread."""

from dataclasses import dataclass
from typing import Final

from presets.sizing_machine import Batch

KV_BYTES: Final = {"auto": 2, "bfloat16": 2, "float16": 2, "fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "fp8_inc": 1}
"""Bytes of one key or value, by vLLM's --kv-cache-dtype. `auto` is the model's own type, 16 bits wide."""


@dataclass(frozen=True)
class Wishes:
    """None means that nothing was asked for. `context` is in tokens, `utilization` a share of the GPU's memory."""

    context: int | None = None
    tensor: int | None = None
    pipeline: int | None = None
    data: int | None = None
    kv_dtype: str = "auto"
    utilization: float | None = None
    batch_tokens: int | None = None
    sequences: int | None = None
    eager: bool = False

    @property
    def kv_bytes(self) -> int:
        """Bytes of one key or value. Types that are not in the table are taken as 16 bits wide: never too little."""
        return KV_BYTES.get(self.kv_dtype, 2)

    def batch(self, default: Batch) -> Batch:
        """The batch that vLLM will take, where this machine's default is `default`."""
        return Batch(tokens=self.batch_tokens or default.tokens, sequences=self.sequences or default.sequences)
