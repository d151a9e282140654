"""Step Size: from a Workspace to a plan with its fallbacks."""
