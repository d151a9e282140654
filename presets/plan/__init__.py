"""The whole plan of a Workspace: machines, options, durations, costs."""
