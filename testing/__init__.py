"""A control plane without kubelets: everything is real but the machines and what runs on them.

`stack.py` starts and stops it, `faults/processes.py` kills, freezes and restarts single processes, `workspaces.py`
applies and follows Workspaces, `leftovers.py` lists what remains. Used by the fault tests and by the bench.
"""
