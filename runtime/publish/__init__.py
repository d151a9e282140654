"""Publishes a trained adapter as an OCI image: `python -m runtime.publish`. Needs httpx and pydantic."""
