"""VM sizes with GPUs that Azure has retired: since when, and what to use instead.

The dates are those of Microsoft's retirement notices. No machine of these sizes can be bought any more.
"""

import re
from typing import Final, NamedTuple


class Retirement(NamedTuple):
    """One series: `sizes` matches its names in lower case, `since` is the day, `instead` takes its place."""

    sizes: re.Pattern[str]
    gpu: str
    since: str
    instead: str


RETIRED: Final = (
    Retirement(re.compile(r"standard_nc(6|12|24|24r)(_promo)?"), "NVIDIA K80", "2023-09-06", "Standard_NC4as_T4_v3"),
    Retirement(re.compile(r"standard_nc(6|12|24|24r)s_v2"), "NVIDIA P100", "2023-09-06", "Standard_NC24ads_A100_v4"),
    Retirement(re.compile(r"standard_nc(6|12|24|24r)s_v3"), "NVIDIA V100", "2025-09-30", "Standard_NC24ads_A100_v4"),
    Retirement(re.compile(r"standard_nd(6|12|24|24r)s"), "NVIDIA P40", "2023-09-06", "Standard_NC24ads_A100_v4"),
    Retirement(re.compile(r"standard_nd40r?s_v2"), "NVIDIA V100", "2025-09-30", "Standard_ND96amsr_A100_v4"),
    Retirement(
        re.compile(r"standard_nv(6|12|24)(s_v2)?(_promo)?"), "NVIDIA M60", "2023-09-06", "Standard_NV36ads_A10_v5"
    ),
    Retirement(re.compile(r"standard_nv(12|24|48)s_v3"), "NVIDIA M60", "2026-09-30", "Standard_NV36ads_A10_v5"),
    Retirement(re.compile(r"standard_nv(4|8|16|32)as_v4"), "AMD MI25", "2026-09-30", "Standard_NV36ads_A10_v5"),
)


def retirement(size: str) -> Retirement | None:
    """The series that this size was of, whatever its case; None for one that can be bought."""
    name = size.strip().lower()
    return next((series for series in RETIRED if series.sizes.fullmatch(name)), None)
