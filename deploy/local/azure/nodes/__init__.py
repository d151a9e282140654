"""Where a pool's machines come from: real kubelets, Node objects without a kubelet, or nowhere.

`machines.py` has the protocol and says what a pool's nodes look like; `kubelets.py`, `simulated.py` and `nowhere.py`
are the three ways; `draining.py` empties and forgets nodes through the API server.
"""
