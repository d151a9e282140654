"""An emulator of Azure Resource Manager: serves ARM's REST contract to the unmodified Azure SDK, sells local nodes.

It covers what a node pool's life needs: managed clusters (read, stop, start), agent pools, long-running operations,
resource SKUs and compute usages. `pools/rules.py` validates, `operations.py` executes, `http/routes.py` serves HTTP,
`faults.py` injects failures.
"""
