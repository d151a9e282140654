"""What runs beside the cluster: Temporal, registry, emulators, Modelyard itself."""
