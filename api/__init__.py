"""The resources: what a user writes, what we report back, and the names and labels both sides share.

Pydantic models and pure functions only; no I/O, no Kubernetes client. Every other room may import from here.
"""
