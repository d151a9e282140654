"""What the outside is told: the Workspace's status and the search attributes."""
