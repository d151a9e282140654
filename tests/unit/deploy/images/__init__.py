"""What images are made of, and how they are built and named."""
