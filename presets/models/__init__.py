"""The model catalogue: known models and their facts."""
