"""Brings a training's data to its volume and judges it before a GPU is bought: `python -m runtime.data`. Needs pyarrow,
httpx and pydantic, and nothing that trains."""
