"""The scheduled garbage collection of orphaned resources."""
