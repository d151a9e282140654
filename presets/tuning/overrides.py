"""The settings of a training config that change its memory: batch, length, rank, modules, packing. Pure."""

from dataclasses import dataclass
from typing import Final

from api.configs.servable import is_embedding
from api.configs.training import TrainingConfig
from presets.models.catalog import Model

ALL_LINEAR: Final = "all-linear"


@dataclass(frozen=True)
class TrainingOverrides:
    """`bits` are those of a packed weight, 0 where weights are not packed. `length` is in tokens, of one row;
    `batch` counts the rows that a GPU computes at once, `modules` are those of the model that get an adapter."""

    method: str
    bits: int
    double_quant: bool
    weight_bytes: int
    batch: int
    accumulation: int
    length: int
    rank: int
    modules: tuple[str, ...]
    unknown_modules: tuple[str, ...] = ()
    checkpointing: bool = True
    full_logits: bool = False
    kept_checkpoints: int = 2

    @property
    def tokens(self) -> int:
        """Tokens that a GPU computes at once."""
        return self.batch * self.length


def training_overrides(config: TrainingConfig, method: str, model: Model) -> TrainingOverrides:
    """What the config asks for of this model, by the defaults that `runtime.tune` takes."""
    options, packing = config.training, config.quantization
    modules, unknown = _modules(config, model)
    return TrainingOverrides(
        method=method,
        bits=4 if packing.load_in_4bit else 8 if packing.load_in_8bit else 0,
        double_quant=packing.bnb_4bit_use_double_quant,
        weight_bytes=_bytes(config, model),
        batch=_whole(options.get("per_device_train_batch_size"), 1),
        accumulation=_whole(options.get("gradient_accumulation_steps"), 1),
        length=min(_whole(options.get("max_length"), model.max_tokens), model.max_tokens),
        rank=max([config.lora.r, *config.lora.rank_pattern.values()]),
        modules=modules,
        unknown_modules=unknown,
        checkpointing=options.get("gradient_checkpointing") is not False,
        full_logits=bool(options.get("label_smoothing_factor")),
        kept_checkpoints=_whole(options.get("save_total_limit"), 2),
    )


def _modules(config: TrainingConfig, model: Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The model's selected modules, and names of modules that it does not have. A regular expression may match any
    module, so all are counted."""
    chosen = config.lora.target_modules
    if isinstance(chosen, str):
        return model.lora_targets, ()
    meant = [name.rsplit(".", 1)[-1] for name in chosen]
    found = tuple(name for name in model.lora_targets if name in meant)
    unknown = tuple(name for name, last in zip(chosen, meant, strict=True) if last not in model.lora_targets)
    # Embeddings are there and are not linear; whether they may be trained is decided by `target_modules.py`.
    return found, tuple(name for name in unknown if not found or not is_embedding(name))


def _bytes(config: TrainingConfig, model: Model) -> int:
    """Bytes of a weight that is not packed."""
    chosen = config.model.torch_dtype
    return 4 if (model.dtype if chosen == "auto" else chosen) == "float32" else 2


def _whole(value: object, default: int) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else default
