"""What the control plane and the pods both read of OCI registries: references, docker configs, challenges, tokens.

Pure: no I/O and nothing but the standard library, because the small images of our pods import it, too.
"""
