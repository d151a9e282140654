"""For every test: how properties are judged, and which tests of `make test` share a lane.

Tests that share a started stack or server run one after the other in one process; lanes run side by side. The longest
come first, so that no lane is left running alone at the end.
"""

from typing import Final

import pytest
from hypothesis import settings

# Properties are judged by their answers, never by how busy the machine is.
settings.register_profile("modelyard", deadline=None)
settings.load_profile("modelyard")

LANES: Final = {
    "tests/integration/faults/": "faults",
    "tests/e2e/": "local stack",
    "tests/runtime/": "local stack",
    "tests/integration/deploy/": "local stack",
    "tests/integration/arm/": "arm",
    "tests/integration/admission/": "admission",
    "tests/integration/nodes/": "nodes",
    "tests/integration/api/": "api",
    "tests/integration/mirror/": "mirror",
    "tests/integration/runtime/": "fetching",
    "tests/workflows/": "workflows",
    "tests/replay/": "workflows",
}
"""By the beginning of a test's id; tests of no lane run wherever there is room, one file in one process."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under `pytest -n N --dist loadgroup` only: sorts the tests into lanes, the longest lane first."""
    if not getattr(config.option, "loadgroup", False):
        return
    order = list(dict.fromkeys(LANES.values()))
    places = {}
    for item in items:
        lane = next((LANES[start] for start in LANES if item.nodeid.startswith(start)), None)
        item.add_marker(pytest.mark.xdist_group(lane or item.nodeid.partition("::")[0]))
        places[item] = order.index(lane) if lane else len(order)
    items.sort(key=places.__getitem__)
