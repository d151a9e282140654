"""What every program in a model pod shares: exit, termination message, metrics, retries."""
