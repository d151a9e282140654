"""A stand-in for Azure Resource Manager: speaks ARM's REST contract to the unmodified Azure SDK, sells local nodes.

Only what a node pool's life needs is here: managed clusters (read), agent pools, long-running operations, resource SKUs
and compute usages. `pools/rules.py` decides, `operations` carries out, `http/routes.py` speaks HTTP, `faults` makes
things go wrong.
"""
