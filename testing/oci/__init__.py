"""A registry and images for tests."""
