"""The Workspace resource: both versions, status, conditions, CRD."""
