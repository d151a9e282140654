"""The validating webhook, which the API server calls before it stores a Workspace.

A separate process, not a route of the admin service: its outage blocks every new Workspace, so it must not depend on
Temporal, it runs in several replicas, and no other process has its rights (one Secret, one webhook configuration).
"""
