"""Brings the whole stack up and down, step by step."""
