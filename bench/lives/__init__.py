"""What the lives of Workspaces cost: one alone, and a crowd. Events, bytes, calls, time, CPU and memory; budgets."""
