"""Servers of the control plane: over TLS or not, bounded in connections, time and memory whoever asks."""
