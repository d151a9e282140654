"""Faults against the whole control plane: what users asked for still happens, and nothing is left over."""
