"""The worker process: which activities and workflows it registers."""
