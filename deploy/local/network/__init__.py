"""The bridge, network namespaces and addresses of the nodes."""
