"""Names and resource ids of the one subscription, resource group and cluster that are emulated."""

from dataclasses import dataclass
from typing import Final

API_PROVIDER: Final = "Microsoft.ContainerService"


@dataclass(frozen=True)
class Identity:
    """The cluster's identity; the same in every local stack."""

    subscription: str = "00000000-0000-0000-0000-000000000000"
    group: str = "modelyard"
    cluster: str = "local"
    location: str = "eastus"
    kubernetes_version: str = "1.33.4"

    @property
    def cluster_id(self) -> str:
        # AKS spells the segment in lower case in the ids it returns; clients must not compare ids by case.
        scope = f"/subscriptions/{self.subscription}/resourcegroups/{self.group}"
        return f"{scope}/providers/{API_PROVIDER}/managedClusters/{self.cluster}"

    @property
    def node_group(self) -> str:
        return f"MC_{self.group}_{self.cluster}_{self.location}"

    def pool_id(self, pool: str) -> str:
        return f"{self.cluster_id}/agentPools/{pool}"

    def operation_path(self, operation: str) -> str:
        return self._operation("operations", operation)

    def operation_result_path(self, operation: str) -> str:
        return self._operation("operationresults", operation)

    def provider_id(self, scale_set: str, number: int) -> str:
        """Returns the node's spec.providerID for this machine."""
        scope = f"/subscriptions/{self.subscription}/resourceGroups/{self.node_group.lower()}"
        return (
            f"azure://{scope}/providers/Microsoft.Compute/virtualMachineScaleSets/{scale_set}/virtualMachines/{number}"
        )

    def _operation(self, kind: str, operation: str) -> str:
        scope = f"/subscriptions/{self.subscription}/providers/{API_PROVIDER}/locations/{self.location}"
        return f"{scope}/{kind}/{operation}"
