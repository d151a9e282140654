"""A Hugging Face-compatible mirror: what `HF_ENDPOINT` points at in a local stack, and the models and data it serves.

`repositories/catalog.py` builds what is served, `__main__.py` serves it; the other files are the server's parts.
"""
