"""Converts data files into the tokenised rows of a training."""
