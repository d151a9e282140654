"""The status of a Workspace: when it is written, and how it never goes back."""
