"""What alerts and dashboards are checked with: Prometheus' own tool, the series of expressions, and what is exposed."""
