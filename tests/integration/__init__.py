"""Tests against real processes."""
