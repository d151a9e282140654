"""Code shared by every program in a model pod: exit, termination message, metrics, retries."""
