"""Which tests run when, and which of them share a process: one table, by the beginning of a test's id.

`conftest.py` marks every test with what stands here; the Makefile picks by the marks.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class Tier(StrEnum):
    """How soon a test is run. Each is a marker, and every test has exactly one."""

    FAST = "fast"
    STANDARD = "standard"
    SLOW = "slow"
    CHAOS = "chaos"
    GPU = "gpu"


DESCRIPTIONS: Final = {
    Tier.FAST: "pure parts, workflows on Temporal's test servers, recorded histories; `make check`",
    Tier.STANDARD: "real API servers, registries, the ARM emulator, the demo's path; `make test` adds them",
    Tier.SLOW: "trainings, vLLM, kubelets, faults that have to wait; `make test-all` adds them",
    Tier.CHAOS: "injects faults at step boundaries and counts what is left over; `make chaos`",
    Tier.GPU: "serves and trains on a GPU, and is skipped without one; `make gpu-check`",
}


class Place(NamedTuple):
    """What holds for the tests whose id begins so. Files without a group run wherever there is room, each in one
    process; the files of a group run one after the other, because they share a started stack or server.
    """

    start: str
    tier: Tier
    group: str = ""


PLACES: Final = (
    Place("tests/e2e/test_main_job.py", Tier.STANDARD, "local stack"),
    Place("tests/e2e/", Tier.SLOW, "local stack"),
    Place("tests/runtime/", Tier.SLOW, "serving"),
    Place("tests/integration/faults/test_injections.py", Tier.SLOW, "faults beside the way"),
    Place("tests/integration/faults/test_never_satisfied.py", Tier.SLOW, "faults beside the way"),
    Place("tests/integration/faults/test_fallbacks.py", Tier.STANDARD, "faults beside the way"),
    Place("tests/integration/faults/test_other_providers.py", Tier.STANDARD, "faults beside the way"),
    Place("tests/integration/faults/test_sweeping.py", Tier.STANDARD, "faults beside the way"),
    Place("tests/integration/faults/test_killed_processes.py", Tier.SLOW, "faults on the way"),
    Place("tests/integration/faults/test_cluster_away.py::test_an_api_server", Tier.SLOW, "faults on the way"),
    Place("tests/integration/faults/test_cluster_away.py::test_what_a_stop", Tier.SLOW, "faults on the way"),
    Place("tests/integration/faults/", Tier.STANDARD, "faults on the way"),
    Place("tests/integration/costs/", Tier.STANDARD, "costs"),
    Place("tests/integration/deploy/test_cluster.py", Tier.SLOW, "cluster"),
    Place("tests/integration/azure/test_kubelet_nodes.py", Tier.SLOW, "cluster"),
    Place("tests/integration/deploy/", Tier.STANDARD, "cluster"),
    Place("tests/integration/attacks/", Tier.STANDARD, "API server"),
    Place("tests/integration/azure/test_simulated_nodes.py", Tier.STANDARD, "API server"),
    Place("tests/integration/admission/", Tier.STANDARD, "API server"),
    Place("tests/integration/controllers/", Tier.STANDARD, "control plane"),
    Place("tests/integration/nodes/", Tier.STANDARD, "API server"),
    Place("tests/integration/chart/", Tier.STANDARD, "API server"),
    Place("tests/integration/api/", Tier.STANDARD, "API server"),
    Place("tests/integration/azure/", Tier.STANDARD, "arm"),
    Place("tests/integration/temporal/", Tier.STANDARD, "temporal"),
    Place("tests/workflows/test_any_order.py::test_the_same_holds_in_more_lives", Tier.SLOW, "workflows"),
    Place("tests/workflows/", Tier.FAST, "workflows"),
    Place("tests/replay/", Tier.FAST, "workflows"),
    Place("tests/integration/mirror/test_mirror_models.py", Tier.SLOW, "mirror"),
    Place("tests/integration/mirror/", Tier.STANDARD, "mirror"),
    Place("tests/integration/registries/", Tier.STANDARD, "registries"),
    Place("tests/integration/publishing/", Tier.STANDARD, "registries"),
    Place("tests/integration/runtime/", Tier.STANDARD, "fetching"),
    Place("tests/chaos/test_judging.py", Tier.FAST),
    Place("tests/chaos/test_arm_cases.py", Tier.FAST),
    Place("tests/chaos/", Tier.CHAOS, "chaos"),
    Place("tests/gpu/", Tier.GPU, "GPU"),
    Place("tests/unit/presets/test_hub_against_vllm.py", Tier.SLOW),
    Place("tests/unit/runtime/turns/test_published_templates.py", Tier.SLOW),
    Place("tests/unit/test_patterns_are_linear.py", Tier.STANDARD),
    Place("tests/unit/runtime/data/test_bombs.py", Tier.STANDARD),
    Place("tests/unit/", Tier.FAST),
)
"""The first that fits decides. Groups that take long come first, so that no process is left running alone at the end;
the order within a group is that of the files.
"""


def place_of(nodeid: str) -> Place:
    """Of a test, by its id or file. Raises LookupError for a test that belongs to no tier."""
    for place in PLACES:
        if nodeid.startswith(place.start):
            return place
    raise LookupError(f"{nodeid} belongs to no tier: give it a row in {__name__}")


def group_of(nodeid: str) -> str:
    """Tests of one group never run at the same time."""
    return place_of(nodeid).group or nodeid.partition("::")[0]


def turn_of(nodeid: str) -> int:
    """The place of a test's group among all groups, the longest first; what has no group comes last."""
    groups = list(dict.fromkeys(place.group for place in PLACES if place.group))
    group = place_of(nodeid).group
    return groups.index(group) if group else len(groups)
