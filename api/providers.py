"""Who can bring a Workspace's nodes: agent pools of AKS, NodeClaims of Karpenter, or nodes that are there already."""

from typing import Final, Literal, get_args

Provider = Literal["aks", "karpenter", "byo"]
PROVIDERS: Final[tuple[Provider, ...]] = get_args(Provider)
