"""What Workspaces cost, counted on a whole stack and held to the budgets."""
