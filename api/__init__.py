"""The Workspace API: the resource and its status, validation, and the names and labels that all packages share.

Pydantic models and pure functions only; no I/O, no Kubernetes client. Every other package may import this one.
"""
