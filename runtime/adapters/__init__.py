"""Brings LoRA adapters into a model's pod: out of images and volumes, judged, scaled, and marked as ready."""
