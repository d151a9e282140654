"""Brings a model's weights into the pod: `python -m runtime.fetch`. Needs huggingface_hub and nothing else."""
