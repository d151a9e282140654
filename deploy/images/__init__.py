"""The product's images for an installation: their definition, and how they reach a registry."""
