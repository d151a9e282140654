"""Nodes from AKS agent pools."""
