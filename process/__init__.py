"""What every process of ours has beside its work."""
