"""How the API server is asked: paths, one guarded transport, what its answers mean."""
