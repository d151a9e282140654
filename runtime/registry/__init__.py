"""Speaks with OCI registries: what pulls data and pushes adapters has in common. Bytes stream."""
