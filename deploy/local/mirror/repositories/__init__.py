"""The models and data that the mirror serves, and how they are made."""
