"""The Kubernetes programs: found, or built from source."""
