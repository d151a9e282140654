"""Who may use the admin API: Kubernetes says who asks and what they may do with Workspaces. No rights of its own."""
