"""What comes before vLLM runs: the weights are waited for, notes on model classes copied, the type on CPUs chosen."""
