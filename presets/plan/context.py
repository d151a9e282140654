"""The inputs of a plan beside the Workspace: the installation, and facts from the cluster and the hub."""

from dataclasses import dataclass
from typing import Final

from api.pods.template import TemplateNeeds
from api.policy.document import Policy
from api.providers import Provider
from presets.admission.config_maps import ConfigMaps
from presets.machines.machine import Machine
from presets.models.catalog import Model
from presets.tuning.fit import DATA_GIB

DEFAULT_REGION: Final = "eastus"


@dataclass(frozen=True)
class PlanContext:
    """`region` is Azure's name, for prices; `provider` brings the nodes: aks, karpenter or byo.

    `policy` is the operator's; without one nothing is refused by it. `data_gib` is how much data a training's volume
    has room for.

    `config_maps` are those of the Workspace's namespace by name, None if not available; `model` is the hub's answer
    about a model that is not in the catalogue; `machine` describes existing nodes. `bypassed`: the Workspace's author
    has turned off the checks of memory. `needs`: what a pod of its template asks for. The planner fills in these two.
    """

    region: str = DEFAULT_REGION
    provider: Provider = "aks"
    config_maps: ConfigMaps | None = None
    model: Model | None = None
    machine: Machine | None = None
    data_gib: int = DATA_GIB
    policy: Policy | None = None
    bypassed: bool = False
    needs: TemplateNeeds | None = None

    def allows_remote_code(self, namespace: str) -> bool:
        """Whether code of a model's repository may run in this namespace: only where a policy says so."""
        return self.policy is not None and self.policy.rules_of(namespace).remote_code
