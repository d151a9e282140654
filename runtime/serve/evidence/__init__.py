"""Why a server ended: its processes' output is watched, and the first error becomes the termination message."""
