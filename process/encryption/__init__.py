"""Encrypts what the processes hand to Temporal, if keys are mounted: the keys, and the codec that uses them."""
