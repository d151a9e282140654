"""Lets the asynchronous half of the kubernetes package be imported without the synchronous one.

The package's own __init__ imports both: with requests, oauthlib and a websocket client 7 MiB in every process, of which
we use nothing. Its folders stand in `sys.modules` as plain packages instead, so that modules are imported one by one.
"""

import sys
from importlib.util import find_spec, module_from_spec
from typing import Final

FOLDERS: Final = ("kubernetes", "kubernetes.aio")


def import_modules_one_by_one() -> None:
    """To be called before anything of the package is imported; changes nothing where it is imported already."""
    if FOLDERS[0] in sys.modules:
        return
    for name in FOLDERS:
        spec = find_spec(name)
        if spec is None:
            raise ImportError(f"{name} is not installed: run `make setup`")
        sys.modules[name] = module_from_spec(spec)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, sys.modules[name])
