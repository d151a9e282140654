"""What makes nodes offer GPUs: device plugins, whether they would run on nodes of ours, and whether they did."""
