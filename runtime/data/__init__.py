"""Fetches training data to its volume and validates it before a GPU is bought: `python -m runtime.data`. Needs pyarrow,
httpx and pydantic, but no training libraries."""

import os

# Arrow decides with its first import. Its other allocators reserve a gigabyte at once, of the one that the process has.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
