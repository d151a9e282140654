"""Serves a model: `python -m runtime.serve`. Converts a config into vLLM's arguments and runs vLLM's own server."""
