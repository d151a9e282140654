"""The only importers of vendors' SDKs: Kubernetes, Azure, the model hub, registries."""
