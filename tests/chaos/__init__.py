"""Injections: every fault strikes a Workspace in every step; what is left, stuck or doubled afterwards is counted."""
