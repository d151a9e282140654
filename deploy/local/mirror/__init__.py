"""A mirror compatible with the Hugging Face Hub: the `HF_ENDPOINT` of a local stack, with its models and data.

`repositories/catalog.py` builds the content, `__main__.py` starts the server; the other files are the server's parts.
"""
