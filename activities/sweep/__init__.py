"""Lists owned resources and existing Workspaces, for the sweep of orphans."""
