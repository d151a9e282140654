"""A streaming client for OCI registries, shared by pulling data and pushing adapters."""
