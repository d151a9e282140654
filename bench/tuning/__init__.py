"""Tokens per second of a training beside a plain script."""
