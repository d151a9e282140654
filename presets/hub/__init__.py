"""What a model repository says of itself: architecture, layers, parsers, weight files."""
