"""What all control-plane processes share: logging, signals, health endpoint, settings, Temporal client, X.509."""
