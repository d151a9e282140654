"""The configuration and the results of each program that runs in a model pod, as typed contracts."""
