"""Installs LoRA adapters in a model's pod: pulls or copies them from images and volumes, validates and scales them."""
