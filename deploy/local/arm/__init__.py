"""A stand-in for Azure Resource Manager: speaks ARM's REST contract to the unmodified Azure SDK, sells local nodes.

Only what a node pool's life needs is here: managed clusters (read), agent pools, long-running operations, resource
SKUs and compute usages. `pool_rules` decides, `operations` carries out, `arm_routes` speaks HTTP, `faults` makes
things go wrong.
"""
