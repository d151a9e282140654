"""Downloads a model's weights into the pod: `python -m runtime.fetch`. Needs only huggingface_hub."""
