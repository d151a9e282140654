"""Parses and validates the two ConfigMaps that a Workspace can reference: their YAML, keys and values."""
