"""The validating webhook: what the API server asks before it stores a Workspace.

A process of its own, not a route of the admin service: an outage of it holds up every new Workspace, so it must not
need Temporal, it runs in several replicas, and its rights (one Secret, one webhook configuration) are nobody else's.
"""
