"""Nodes from Karpenter NodeClaims."""
