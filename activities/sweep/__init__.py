"""Lists what is held and which Workspaces live, for the sweep of orphans."""
