"""From data files to the tokenised rows of a training."""
