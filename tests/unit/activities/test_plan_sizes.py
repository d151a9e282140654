"""A plan with every way to get its nodes is small on the wire, and comes back whole."""

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.contract.plan import Planned
from api.purchasing import OPTIONS_MAX
from presets.admission.rules import FALLBACKS_MAX
from tests.fakes.large_plans import machines, options_of

LIMIT = 25_000
SPOT_FIRST = "spot,on-demand"
# The most options, on few machines and on many, and the most machines.
CASES = [
    pytest.param(2, {"capacity_types": SPOT_FIRST, "zones": "1,2,3,4,5,any"}, OPTIONS_MAX, id="2 machines"),
    pytest.param(12, {"capacity_types": SPOT_FIRST}, OPTIONS_MAX, id="12 machines"),
    pytest.param(FALLBACKS_MAX + 1, {}, FALLBACKS_MAX + 1, id="21 machines"),
]


@pytest.mark.parametrize(("most", "annotations", "ways"), CASES)
async def test_every_option_fits_into_one_small_payload(most: int, annotations: dict[str, str], ways: int) -> None:
    options = options_of(machines(most), max_price_per_hour="500", **annotations)
    assert len(options) == ways
    [payload] = await pydantic_data_converter.encode([Planned.of(options)])
    print(f"{ways} options on {most} machines: {len(payload.data)} bytes")
    assert len(payload.data) <= LIMIT
    [planned] = await pydantic_data_converter.decode([payload], [Planned])
    assert planned.options == options


async def test_the_argument_of_an_activity_is_the_plan_alone() -> None:
    [first, *_] = options_of(machines(2))
    [payload] = await pydantic_data_converter.encode([first.plan])
    print(f"one plan: {len(payload.data)} bytes")
    assert len(payload.data) <= 1_500
