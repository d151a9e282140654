"""Reads facts about a model from its repository: architecture, layers, parsers, weight files."""
