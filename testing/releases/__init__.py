"""Releases of the control plane that are yet to come: their workflow, their images, their chart."""
