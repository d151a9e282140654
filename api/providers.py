"""The node providers: AKS agent pools, Karpenter NodeClaims, or existing nodes (byo)."""

from typing import Final, Literal, get_args

Provider = Literal["aks", "karpenter", "byo"]
PROVIDERS: Final[tuple[Provider, ...]] = get_args(Provider)
