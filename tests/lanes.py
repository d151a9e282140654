"""Instances of the local stack that tests may start whole, one for each process of `pytest -n`: lanes run side by side,
and the groups of one lane one after the other."""

import os
from typing import Final

from deploy.local.layout import Instance

INSTANCES: Final[tuple[Instance, ...]] = ("chaos", "injections", "bench")


def instance_of_this_lane() -> Instance:
    """Returns the instance for stacks of this process. Raises IndexError in a fourth lane."""
    return INSTANCES[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))]
