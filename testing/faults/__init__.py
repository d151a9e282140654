"""Faults of processes and servers: killed, frozen, slow, sending malformed responses."""
