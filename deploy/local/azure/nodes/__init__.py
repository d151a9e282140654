"""The machines of a pool: real kubelets, Node objects without a kubelet, or none.

`machines.py` defines the protocol and a pool's nodes; `kubelets.py`, `simulated.py` and `no_machines.py` implement it;
`draining.py` drains and deletes nodes through the API server.
"""
