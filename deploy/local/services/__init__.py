"""The services beside the cluster: Temporal, registry, emulators, Modelyard itself."""
