"""Azure VM sizes: their GPUs, memory, vCPUs and quota family, by name.

The facts are in `skus.yaml`, with their source; list prices in `prices.yaml`. The estimator computes what a model
needs; the preflight asks Azure whether a size is available in the region now.
"""

from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from presets.machines.prices import price_table
from presets.machines.retirements import retirement

NEAR_MATCHES: Final = 3
PREFIX: Final = "standard_"
UNREPORTED_SHARE: Final = 0.9
"""Of the advertised memory, where the driver's figure is not known: a little less than the least known share (T4)."""
_YAML_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnknownSku(LookupError):
    """No VM size of this name is known; the message names the nearest ones."""

    def __init__(self, name: str, near: tuple[str, ...]) -> None:
        self.name, self.near = name, near
        hint = f"did you mean {' or '.join(near)}?" if near else "GPU sizes look like Standard_NC24ads_A100_v4"
        super().__init__(f"unknown VM size {name!r}: {hint}")


class Sku(BaseModel):
    """One VM size. `gpu_memory_gib` is of one GPU as advertised, `driver_gib` as CUDA or ROCm reports it.

    `gpu_fraction` is less than 1 where the size holds a part of a GPU; `gpus` counts it as one, as Kubernetes does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    aliases: tuple[str, ...] = ()
    gpus: int = Field(ge=0)
    gpu_model: str = ""
    gpu_memory_gib: int = Field(default=0, ge=0)
    driver_gib: float | None = Field(default=None, gt=0)
    gpu_fraction: float = Field(default=1.0, gt=0, le=1)
    vcpus: int = Field(gt=0)
    ram_gib: int = Field(gt=0)
    nvme_gib: int = Field(default=0, ge=0)
    family: str
    compute_capability: str = Field(default="", description="CUDA's, for instance 8.6; empty: no CUDA GPU.")
    infiniband: bool = False
    architecture: Literal["amd64", "arm64"] = "amd64"
    zones: bool = True

    @model_validator(mode="after")
    def _gpu_facts_agree(self) -> Self:
        if bool(self.gpus) != bool(self.gpu_model and self.gpu_memory_gib):
            raise ValueError(f"{self.name}: gpus, gpu_model and gpu_memory_gib go together")
        if self.driver_gib and not self.gpu_memory_gib * 0.8 < self.driver_gib <= self.gpu_memory_gib:
            raise ValueError(f"{self.name}: driver_gib {self.driver_gib} does not go with {self.gpu_memory_gib} GiB")
        return self

    @property
    def retired(self) -> bool:
        """Whether Azure has none of it any more."""
        return retirement(self.name) is not None

    @property
    def has_nvme(self) -> bool:
        return self.nvme_gib > 0

    @property
    def total_gpu_memory_gib(self) -> int:
        return self.gpus * self.gpu_memory_gib

    @property
    def usable_memory_gib(self) -> float:
        """GiB of one GPU that a process can have: what vLLM's gpu-memory-utilization is a share of."""
        return self.driver_gib or self.gpu_memory_gib * UNREPORTED_SHARE

    def price(self, region: str) -> float | None:
        """US dollars per hour on demand, or None when the price in this region is not known."""
        return price_table().usd_per_hour.get(region.replace(" ", "").lower(), {}).get(self.name)


class SkuTable(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    skus: tuple[Sku, ...]


def find_sku(name: str) -> Sku:
    """The size of this name or alias, whatever its case; `.name` is Azure's spelling. Raises UnknownSku."""
    sku = _by_name().get(name.strip().lower())
    if sku is None:
        raise UnknownSku(name, near_skus(name))
    return sku


def near_skus(name: str) -> tuple[str, ...]:
    """The names most like this one, nearest first."""
    # Compared without the prefix: it would make all names similar.
    spelled = {known.removeprefix(PREFIX): sku.name for known, sku in _by_name().items()}
    wanted = name.strip().lower().removeprefix(PREFIX)
    near = get_close_matches(wanted, list(spelled), n=NEAR_MATCHES, cutoff=0.6)
    return tuple(dict.fromkeys(spelled[match] for match in near))


@cache
def sku_table() -> SkuTable:
    """The table as it ships."""
    document: Any = yaml.load(files("presets.machines").joinpath("skus.yaml").read_text(), Loader=_YAML_LOADER)
    return SkuTable.model_validate(document)


@cache
def _by_name() -> dict[str, Sku]:
    table: dict[str, Sku] = {}
    for sku in sku_table().skus:
        for name in (sku.name, *sku.aliases):
            if table.setdefault(name.lower(), sku) is not sku:
                raise ValueError(f"skus.yaml lists {name} twice")
    return table
