"""What the emulator refuses, through the unmodified SDK: one reason, at the PUT and in the operation."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from activities.errors.azure import from_azure
from deploy.local.azure.refusals import AT_ONCE, LATE, REFUSALS
from testing.faults.refusals import REASONS


def test_every_refusal_of_the_emulator_has_its_reason() -> None:
    assert REASONS.keys() == REFUSALS.keys()


@pytest.mark.parametrize("variant", [AT_ONCE, LATE])
@pytest.mark.parametrize("kind", REASONS)
async def test_a_refusal_is_the_same_at_once_and_late(pools: Any, control: Any, kind: str, variant: str) -> None:
    name = f"r{list(REASONS).index(kind)}{variant[0]}"
    control.add_fault(kind, variant=variant, times=1)
    with pytest.raises(HttpResponseError) as refused:
        await (await pools.begin(name)).result()
    failure = from_azure(refused.value)
    assert failure.type == REASONS[kind] and failure.non_retryable
    assert REFUSALS[kind].message[:20].replace("{pool}", name)[:12] in failure.message
    if kind == "refused-by-policy":
        assert "'Allowed virtual machine size SKUs', assigned as 'GPU sizes of this department'" in failure.message
        assert "properties.vmSize" in failure.message
