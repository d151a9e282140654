"""The cases of the ARM emulator's faults are complete."""

from deploy.local.azure.faults import KINDS
from tests.chaos.arm_cases import CASES, NOT_MET


def test_every_fault_of_the_emulator_has_a_case() -> None:
    known = {(kind, variant) for kind, about in KINDS.items() for variant in about.variants or ("",)}
    met = {(fault["kind"], fault.get("variant", "")) for case in CASES for fault in case.faults}
    assert met.isdisjoint(NOT_MET)
    assert met | set(NOT_MET) == known
