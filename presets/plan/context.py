"""What a plan depends on beside the Workspace: the installation, and what a cluster or a hub has told."""

from dataclasses import dataclass
from typing import Final

from api.providers import Provider
from presets.admission.config_maps import ConfigMaps
from presets.machines.machine import Machine
from presets.models.catalog import Model
from presets.tuning.fit import DATA_GIB

DEFAULT_REGION: Final = "eastus"


@dataclass(frozen=True)
class Surroundings:
    """`region` is Azure's name, for prices; `provider` brings the nodes: aks, karpenter or byo.

    `data_gib` is how much data a training's volume has room for.

    `config_maps` are those of the Workspace's namespace by name, None where they are not at hand; `model` is what the
    hub told of a model that the catalogue does not have; `machine` the nodes that are there already.
    """

    region: str = DEFAULT_REGION
    provider: Provider = "aks"
    config_maps: ConfigMaps | None = None
    model: Model | None = None
    machine: Machine | None = None
    data_gib: int = DATA_GIB
