"""For every test: how properties are judged, and which tests of `make test` share a lane.

Tests that share a started stack or server run one after the other in one process; lanes run side by side. The longest
come first, so that no lane is left running alone at the end.
"""

from typing import Final

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Properties are judged by their answers, never by how busy the machine is.
settings.register_profile("modelyard", deadline=None)
settings.load_profile("modelyard")

# What Temporal's SDK says where an activity ends just as its cancellation arrives. As an error it would end the worker,
# and the test would wait for ever.
LATE_CANCELLATION: Final = "ignore:Cannot find activity to cancel:UserWarning"

LANES: Final = {
    **dict.fromkeys(
        (
            "tests/integration/faults/test_fallbacks.py",
            "tests/integration/faults/test_injections.py",
            "tests/integration/faults/test_never_satisfied.py",
            "tests/integration/faults/test_other_providers.py",
            "tests/integration/faults/test_sweeping.py",
        ),
        "faults beside the way",
    ),
    "tests/integration/faults/": "faults on the way",
    "tests/e2e/": "local stack",
    "tests/runtime/": "serving",
    "tests/integration/deploy/": "cluster",
    "tests/integration/arm/": "arm",
    "tests/integration/admission/": "admission",
    "tests/integration/nodes/": "nodes",
    "tests/integration/api/": "api",
    "tests/integration/mirror/": "mirror",
    "tests/integration/registries/": "registries",
    "tests/integration/publishing/": "registries",
    "tests/integration/runtime/": "fetching",
    "tests/workflows/": "workflows",
    "tests/replay/": "workflows",
}
"""By the beginning of a test's id, the longest first; other tests run wherever there is room, a file in one process."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", LATE_CANCELLATION)


def lane_of(nodeid: str) -> str:
    return next((LANES[start] for start in LANES if nodeid.startswith(start)), nodeid.partition("::")[0])


class Lanes(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each process one lane after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    return Lanes(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the processes of `pytest -n N` only: the longest lanes first. One process alone begins with what is quick."""
    if not hasattr(config, "workerinput"):
        return
    order = list(dict.fromkeys(LANES.values()))
    places = {lane: place for place, lane in enumerate(order)}
    items.sort(key=lambda item: places.get(lane_of(item.nodeid), len(order)))
