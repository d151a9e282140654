"""Fetches training data to its volume and validates it before a GPU is bought: `python -m runtime.data`. Needs pyarrow,
httpx and pydantic, but no training libraries."""
