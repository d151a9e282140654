"""The steps that serving and tuning share: preflight, nodes, fallbacks, node loss, cleanup, waits for the cluster."""
