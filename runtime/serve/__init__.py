"""Serves a model: `python -m runtime.serve`. A typed config becomes vLLM's arguments, and vLLM's own server runs."""
