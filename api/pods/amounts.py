"""Reads how much of a resource a container of a pod template asks for, and tells amounts that no node can give. Pure.

How containers add up to a pod is `template.py`'s.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from api import labels
from api.quantity import MOST, QuantityInvalid, parse_quantity

MIG_PREFIX: Final = "nvidia.com/mig-"
OTHER_GPUS: Final = {"amd.com/gpu": "AMD", "gpu.intel.com/i915": "Intel", "gpu.intel.com/xe": "Intel"}
"""The maker of GPUs that are none of NVIDIA's, by the resource that its device plugin offers."""


def is_gpu(resource: str) -> bool:
    """Whether a resource of this name is NVIDIA's GPUs, or MIG slices of them."""
    return resource == labels.GPU_RESOURCE or str(resource).startswith(MIG_PREFIX)


def amount_of(container: Mapping[str, Any], resource: str) -> Fraction:
    """How much of a resource a container asks for; what cannot be read counts as nothing."""
    resources = _map(container.get("resources"))
    for part in ("requests", "limits"):  # a limit without a request is also the request
        if _map(resources.get(part)).get(resource) is not None:
            return readable(_map(resources[part])[resource])
    return Fraction(0)


def readable(value: Any) -> Fraction:
    """The amount; nothing for what is no quantity, or less than nothing."""
    try:
        return max(Fraction(0), parse_quantity(value))
    except QuantityInvalid:
        return Fraction(0)


def unreadable(container: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Amounts that are no quantity, or a part of a GPU; and GPUs that the API server refuses to have requested."""
    resources = _map(container.get("resources"))
    for part in ("requests", "limits"):
        for name, value in _map(resources.get(part)).items():
            where = f"{path}.{part}[{name}]"
            try:
                amount = parse_quantity(value)
            except QuantityInvalid as error:
                yield (where, str(error))
                continue
            if amount < 0:
                yield (where, "is less than nothing")
            elif amount > MOST:
                yield (where, f"is more than an API server counts to: use at most {MOST}")
            elif is_gpu(name) and amount.denominator != 1:
                yield (where, "is a part of a GPU: whole ones are given")
    requests, limits = (_map(resources.get(part)) for part in ("requests", "limits"))
    for name in filter(is_gpu, requests):
        if readable(requests[name]) != readable(limits.get(name, -1)):
            yield (f"{path}.limits[{name}]", "has to be there and equal to the request: GPUs are not shared")


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
