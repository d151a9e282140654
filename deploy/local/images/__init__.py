"""Container images and their packages, built without a container engine."""
