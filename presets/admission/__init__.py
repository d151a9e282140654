"""Admission rules that need the catalog."""
