"""Publishes the workflow's state: the Workspace's status and the search attributes."""
