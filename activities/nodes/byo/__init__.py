"""Nodes that the user brings (bring your own): reserved, watched, never bought."""
