"""Measurements of the control plane against a real API server, Temporal and the ARM stand-in; `python -m bench`.

One file per measurement; each returns `Result`s. What runs below is the harness of the tests: machines and pods are
simulated, so that only our own work and the systems it uses are measured.
"""
