"""What a run has: its device, its programs, its environment, its model, and how much it does."""
