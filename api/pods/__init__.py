"""What pods are told: the configuration of each program that runs in a model pod."""
