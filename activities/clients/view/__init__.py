"""One view of the cluster per process: what is watched, kept, and told to whom."""
