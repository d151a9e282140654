"""What is measured: one file for serving, one for training, one for the adapter, and the order of all."""
