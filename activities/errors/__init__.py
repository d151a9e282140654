"""Turns clients' exceptions into reasons."""
