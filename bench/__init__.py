"""Measurements of the control plane against a real API server, Temporal and the ARM emulator; `python -m bench`.

One file per measurement; each returns `Result`s. They run on the tests' harness: machines and pods are simulated, so
that only Modelyard and the systems it uses are measured.
"""
