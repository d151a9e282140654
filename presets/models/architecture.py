"""A model's layers, as runs of equal ones, with what each caches per sequence while serving.

The estimator computes the memory for a context, a KV dtype and a number of GPUs.
"""

from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

BF16_BYTES: Final = 2

LayerKind = Literal["full", "sliding", "mla", "linear"]

_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "full": ("kv_heads", "head_dim"),
    "sliding": ("kv_heads", "head_dim", "window"),
    "mla": ("latent_dim",),
    "linear": (),
}
_ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "full": ("kv_heads", "head_dim", "index_bytes"),
    "sliding": ("kv_heads", "head_dim", "window"),
    "mla": ("latent_dim", "index_bytes", "state_bytes"),
    "linear": ("state_bytes",),
}
_SHAPE: Final = ("kv_heads", "head_dim", "window", "latent_dim", "state_bytes", "index_bytes")


class LayerGroup(BaseModel):
    """A run of equal layers. Their position in the model does not matter for memory.

    - `full`: keys and values of every token.
    - `sliding`: keys and values of the last `window` tokens.
    - `mla`: one compressed vector of `latent_dim` numbers per token (kv_lora_rank + qk_rope_head_dim), on every GPU.
      Where it stands for several tokens (DeepSeek V4), `latent_dim` is one token's part of it, and `state_bytes` what
      is not folded into it yet.
    - `linear`: a state of fixed size per sequence (Mamba, gated delta nets), in bytes as vLLM keeps it. With
      `state_bytes` 0 the layer keeps nothing: it is MLP only, or reads the cache of another layer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: LayerKind
    count: int = Field(gt=0)
    kv_heads: int = Field(default=0, ge=0)
    head_dim: int = Field(default=0, ge=0)
    window: int = Field(default=0, ge=0, description="Tokens.")
    latent_dim: int = Field(default=0, ge=0)
    state_bytes: int = Field(default=0, ge=0, description="Bytes per sequence and layer.")
    index_bytes: int = Field(default=0, ge=0, description="Bytes per token and layer of a sparse indexer's keys.")

    @model_validator(mode="after")
    def _shape_fits_the_kind(self) -> Self:
        missing = [name for name in _NEEDED[self.kind] if not getattr(self, name)]
        foreign = [name for name in _SHAPE if getattr(self, name) and name not in _ALLOWED[self.kind]]
        if missing:
            raise ValueError(f"a {self.kind} layer needs {' and '.join(missing)}")
        if foreign:
            raise ValueError(f"a {self.kind} layer has no {' and no '.join(foreign)}")
        return self

    @property
    def values_per_token(self) -> int:
        """Numbers that one more token adds in one layer, for as long as the layer grows: times the KV dtype's bytes."""
        return self.latent_dim if self.kind == "mla" else 2 * self.kv_heads * self.head_dim

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes that one more token adds in all layers of the run, in bf16, as long as it grows."""
        return self.count * (self.values_per_token * BF16_BYTES + self.index_bytes)
