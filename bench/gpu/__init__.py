"""Serving and training on a GPU, each beside the plain program; `python -m bench.gpu`, on CPUs in a small size."""
