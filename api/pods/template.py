"""Reads of a pod template what it asks its node for, where its server listens, and what can never start. Pure.

Counts as the scheduler does. Reading never fails, whatever JSON it is given: what cannot be read is among `problems`.
Which machine has it is decided by the plan, what a tenant may take by the policy (`api/policy/templates.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any, Final

from api import labels
from api.pods.serve import SERVE_PORT
from api.quantity import QuantityInvalid, parse_quantity

GIB: Final = 2**30
DISK: Final = "ephemeral-storage"
OTHER_GPUS: Final = ("amd.com/gpu", "gpu.intel.com/")
"""What other makers' device plugins offer; Intel's name has the driver after it."""
MIG_PREFIX: Final = "nvidia.com/mig-"
HTTP_PORT_NAME: Final = "http"
PROBES: Final = ("readinessProbe", "startupProbe", "livenessProbe")
MOST_CONTAINERS: Final = 200
"""Containers that are read: a pod with more does not fit into the API server's objects with anything in them."""
_KINDS: Final = ("initContainers", "containers")


@dataclass(frozen=True)
class TemplateProblem:
    """What no node can start: where in the template's spec, and the words for it."""

    path: str
    message: str


@dataclass(frozen=True, kw_only=True)
class TemplateNeeds:
    """What one pod asks for. `gpus` are of `gpu_resource`, which is empty without a GPU; `cpu` cores; `memory_gib` GiB,
    `disk_gib` GiB of the node's disk. `other_gpus` are resources of makers other than NVIDIA.

    `port` is where the Service sends requests, and `server` the name of the container that listens there, empty where
    none says so. `probed`: that container has a readiness probe. `declared` are the TCP ports that containers name.
    `selector` are the labels of the nodes that it wants.
    """

    gpus: int = 0
    gpu_resource: str = ""
    cpu: float = 0.0
    memory_gib: float = 0.0
    disk_gib: float = 0.0
    other_gpus: tuple[str, ...] = ()
    port: int = SERVE_PORT
    server: str = ""
    probed: bool = False
    declared: tuple[int, ...] = ()
    selector: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[TemplateProblem, ...] = ()


def read_template(template: Any) -> TemplateNeeds:
    """What a pod of this PodTemplateSpec needs."""
    spec = _map(_map(template).get("spec"))
    held = gpus_requested(spec)
    port, server = _served(spec)
    gpu, gpus = next(iter(held.items()), ("", 0))
    return TemplateNeeds(
        gpus=gpus,
        gpu_resource=gpu,
        cpu=float(requested(spec, "cpu")),
        memory_gib=float(requested(spec, "memory") / GIB),
        disk_gib=float(requested(spec, DISK) / GIB),
        other_gpus=tuple(name for name in sorted(_resources(spec)) if _is_other(name) and requested(spec, name)),
        port=port,
        server=str(server.get("name") or ""),
        probed=bool(_map(server.get("readinessProbe"))),
        declared=tuple(number for one in _long_lived(spec) for _, number in _ports(one)),
        selector={str(key): str(value) for key, value in _map(spec.get("nodeSelector")).items()},
        problems=tuple(_problems(spec, held)),
    )


def gpus_requested(spec: Mapping[str, Any]) -> dict[str, int]:
    """GPUs that a pod of this spec holds, by resource: whole ones, or MIG slices; without those of which it holds
    none."""
    asked = {name: ceil(requested(spec, name)) for name in sorted(filter(is_gpu, _resources(spec)))}
    return {name: gpus for name, gpus in asked.items() if gpus}


def requested(spec: Mapping[str, Any], resource: str) -> Fraction:
    """How much of a resource the scheduler keeps for a pod of this spec: init containers run one after the other before
    the rest, sidecars (init containers with restartPolicy Always) keep running, and the runtime class may add an
    overhead. What cannot be read counts as nothing."""
    sidecars = peak = Fraction(0)
    for container in _containers(spec, "initContainers"):
        own = _amount(container, resource)
        if container.get("restartPolicy") == "Always":
            sidecars += own
            own = Fraction(0)
        peak = max(peak, sidecars + own)
    together = sidecars + sum(_amount(one, resource) for one in _containers(spec, "containers"))
    return max(peak, together) + _readable(_map(spec.get("overhead")).get(resource, 0))


def _problems(spec: Mapping[str, Any], held: Mapping[str, int]) -> Iterator[TemplateProblem]:
    for kind in _KINDS:
        for index, container in enumerate(_containers(spec, kind)):
            yield from _unreadable(container, f"{kind}[{index}].resources")
    if len(held) > 1:
        several = f"asks for {' and '.join(held)}: a Workspace's nodes are counted by one kind of GPU, name one"
        yield TemplateProblem("containers", several)
    if spec.get("nodeName"):
        yield TemplateProblem("nodeName", "names a node, and pods start on the Workspace's own: leave it out")
    policy = spec.get("restartPolicy")
    if policy not in (None, "Always"):
        yield TemplateProblem("restartPolicy", "of what serves is Always, or left out")
    if spec.get("activeDeadlineSeconds") is not None:
        yield TemplateProblem("activeDeadlineSeconds", "ends what serves: leave it out")


def _unreadable(container: Mapping[str, Any], path: str) -> Iterator[TemplateProblem]:
    """Amounts that are no quantity, or a part of a GPU; and GPUs that the API server refuses to have requested."""
    resources = _map(container.get("resources"))
    for part in ("requests", "limits"):
        for name, value in _map(resources.get(part)).items():
            where = f"{path}.{part}[{name}]"
            try:
                amount = parse_quantity(value)
            except QuantityInvalid as error:
                yield TemplateProblem(where, str(error))
                continue
            if amount < 0:
                yield TemplateProblem(where, "is less than nothing")
            elif is_gpu(name) and amount.denominator != 1:
                yield TemplateProblem(where, "is a part of a GPU: whole ones are given")
    requests, limits = (_map(resources.get(part)) for part in ("requests", "limits"))
    for name in filter(is_gpu, requests):
        if _readable(requests[name]) != _readable(limits.get(name, -1)):
            yield TemplateProblem(
                f"{path}.limits[{name}]", "has to be there and equal to the request: GPUs are not shared"
            )


def _served(spec: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """The port that the Service sends to and the container that listens there: KAITO's 5000 if it is declared, else the
    port that is named http, else the first that is declared, else the one that a probe asks, else 5000 of the only
    container."""
    declared = [(name, port, one) for one in _long_lived(spec) for name, port in _ports(one)]
    for wanted in (lambda name, port: port == SERVE_PORT, lambda name, port: name == HTTP_PORT_NAME, lambda *_: True):
        for name, port, one in declared:
            if wanted(name, port):
                return port, one
    asked = [(number, one) for probe in PROBES for one in _long_lived(spec) if (number := _asked_by(one.get(probe)))]
    if asked:
        return asked[0]
    containers = _containers(spec, "containers")
    probed = [one for one in containers if _map(one.get("readinessProbe"))]
    return SERVE_PORT, next(iter(probed or containers), {})


def _asked_by(probe: Any) -> int:
    """The port that a probe asks by its number; 0 if it asks none."""
    return max(_port(_map(_map(probe).get(how)).get("port")) for how in ("httpGet", "tcpSocket", "grpc"))


def _port(value: Any) -> int:
    """A port's number; 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**16 else 0


def _ports(container: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Name and number of the TCP ports that a container declares."""
    ports = container.get("ports")
    for port in ports if isinstance(ports, list) else []:
        number = _port(_map(port).get("containerPort"))
        if number and _map(port).get("protocol", "TCP") in ("TCP", None):
            yield str(_map(port).get("name") or ""), number


def _long_lived(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Containers that run as long as the pod, the pod's own before sidecars."""
    sidecars = [one for one in _containers(spec, "initContainers") if one.get("restartPolicy") == "Always"]
    return [*_containers(spec, "containers"), *sidecars]


def _containers(spec: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    found = spec.get(kind)
    return [_map(one) for one in found[:MOST_CONTAINERS]] if isinstance(found, list) else []


def _resources(spec: Mapping[str, Any]) -> set[str]:
    in_containers = {
        str(name)
        for kind in _KINDS
        for one in _containers(spec, kind)
        for part in ("requests", "limits")
        for name in _map(_map(one.get("resources")).get(part))
    }
    return in_containers | {str(name) for name in _map(spec.get("overhead"))}


def is_gpu(resource: str) -> bool:
    """Whether a resource of this name is NVIDIA's GPUs, or MIG slices of them."""
    return resource == labels.GPU_RESOURCE or str(resource).startswith(MIG_PREFIX)


def _is_other(resource: str) -> bool:
    return resource.startswith(OTHER_GPUS)


def _amount(container: Mapping[str, Any], resource: str) -> Fraction:
    resources = _map(container.get("resources"))
    for part in ("requests", "limits"):  # a limit without a request is also the request
        if _map(resources.get(part)).get(resource) is not None:
            return _readable(_map(resources[part])[resource])
    return Fraction(0)


def _readable(value: Any) -> Fraction:
    try:
        return max(Fraction(0), parse_quantity(value))
    except QuantityInvalid:
        return Fraction(0)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
