"""For every test: how properties are judged, its tier, and the process that it shares (`tiers.py` has the table).

At the end of a run it tells which costly programs were started.
"""

import signal
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.started_processes import StartedProcesses
from tests.tiers import DESCRIPTIONS, Tier, group_of, place_of, turn_of

# Properties are judged by their answers, never by how busy the machine is.
settings.register_profile("modelyard", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("modelyard")

# What Temporal's SDK says where an activity ends just as its cancellation arrives. As an error it would end the worker,
# and the test would wait for ever.
LATE_CANCELLATION: Final = "ignore:Cannot find activity to cancel:UserWarning"
# Temporal's SDK interrupts a workflow task that got no processor for two seconds, and repeats it. The interruption may
# arrive while hypothesis counts how long the garbage collector takes, and then nobody else hears of it.
INTERRUPTED: Final = "ignore:Exception ignored in. <function gc_cumulative_time:pytest.PytestUnraisableExceptionWarning"


def pytest_configure(config: pytest.Config) -> None:
    # A script's background job starts with SIGINT ignored, and so do its children: nothing could be interrupted.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for harmless in (LATE_CANCELLATION, INTERRUPTED):
        config.addinivalue_line("filterwarnings", harmless)
    for tier, description in DESCRIPTIONS.items():
        config.addinivalue_line("markers", f"{tier}: {description}")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(StartedProcesses())


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each process one group after the other. xdist's own `--dist loadgroup` (3.8) hands them on by a private
    field that pytest 9.2 has no more: its groups are ignored without a word.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    return Groups(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks tiers; nothing else may. In the processes of `pytest -n N` the longest groups come first; one process alone
    begins with what is quick.
    """
    for item in items:
        if marked := [tier for tier in Tier if item.get_closest_marker(tier)]:
            raise pytest.UsageError(f"{item.nodeid} is marked {marked[0]}: tiers are given in tests/tiers.py")
        item.add_marker(place_of(item.nodeid).tier.value)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: turn_of(item.nodeid))
