"""Steps Deploy, AwaitServing and Verify of an inference Workspace."""
