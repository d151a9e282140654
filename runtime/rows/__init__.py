"""Reads rows of training data. One reader: the Job that judges data before a GPU is bought and the training read with
this very code, so what the one has accepted the other learns. Needs pyarrow, and no training libraries."""
