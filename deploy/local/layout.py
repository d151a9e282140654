"""Where everything of one local stack is: folders, addresses, subnets and ports.

Pure computation: other files create the folders and open the ports. Every instance ("demo", "test", ...) has an index
that determines its subnets and ports, so that several stacks can run at once.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final, Literal, get_args

Report = Callable[[str], None]

REPOSITORY = Path(__file__).resolve().parents[2]
"""The checkout that this code runs from: constraints, examples and the Containerfile are read from it."""
Instance = Literal["demo", "test", "bench", "integration", "chaos", "cluster", "injections", "arm"]
INSTANCES: Final[tuple[Instance, ...]] = get_args(Instance)
PORT_STRIDE = 100
LOOPBACK = "127.0.0.1"


class UnknownInstance(ValueError):
    """The name is not one of INSTANCES."""


@dataclass(frozen=True)
class Ports:
    """TCP ports of one instance; the defaults are those of "demo" (index 0)."""

    apiserver: int = 16443
    etcd: int = 12379
    etcd_peer: int = 12380
    registry: int = 15000
    temporal: int = 17233
    temporal_ui: int = 18233
    mirror: int = 18080
    arm: int = 18444
    admin: int = 18081
    webhook: int = 18445
    worker_cluster_metrics: int = 18082
    worker_cloud_metrics: int = 18083
    watcher_metrics: int = 18084
    temporal_metrics: int = 18085
    webhook_metrics: int = 18086
    admin_metrics: int = 18087
    controller_manager: int = 19257
    scheduler: int = 19259
    kube_proxy_health: int = 19256
    kube_proxy_metrics: int = 19249

    @classmethod
    def at(cls, index: int) -> "Ports":
        return cls(**{field.name: field.default + PORT_STRIDE * index for field in fields(cls)})  # type: ignore[operator]


@dataclass(frozen=True)
class Layout:
    """One instance of the local stack. `address` is where host services listen so that nodes and pods reach them."""

    instance: str
    index: int
    cache: Path
    state: Path
    address: str
    with_nodes: bool
    ports: Ports

    @classmethod
    def of(cls, instance: str = "demo", *, with_nodes: bool = True) -> "Layout":
        """Computes an instance's layout from XDG_CACHE_HOME, XDG_STATE_HOME, MODELYARD_HOME. Raises UnknownInstance."""
        if instance not in INSTANCES:
            raise UnknownInstance(f"no instance {instance!r}: choose one of {', '.join(INSTANCES)}")
        index = INSTANCES.index(instance)
        return cls(
            instance=instance,
            index=index,
            cache=_folder("XDG_CACHE_HOME", ".cache") / "modelyard",
            state=_state_home() / instance,
            address=f"10.201.{index}.1" if with_nodes else LOOPBACK,
            with_nodes=with_nodes,
            ports=Ports.at(index),
        )

    @property
    def bridge(self) -> str:
        return f"myard{self.index}"

    @property
    def node_subnet(self) -> IPv4Network:
        return IPv4Network(f"10.201.{self.index}.0/24")

    @property
    def pod_range(self) -> IPv4Network:
        return IPv4Network(f"10.{210 + self.index}.0.0/16")

    @property
    def service_range(self) -> IPv4Network:
        return IPv4Network(f"10.{220 + self.index}.0.0/16")

    def node_address(self, number: int) -> IPv4Address:
        """Returns the address of the node with this number (1..240); .1 is the bridge, 2..9 are reserved."""
        return self.node_subnet[number + 9]

    def pod_subnet(self, number: int) -> IPv4Network:
        """Returns the /24 of the pods on the node with this number."""
        return IPv4Network((int(self.pod_range.network_address) + (number << 8), 24))

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def run(self) -> Path:
        """Pid files and locks of this instance's daemons."""
        return self.state / "run"

    @property
    def pki(self) -> Path:
        """ca.crt, ca.key and every certificate the CA has signed."""
        return self.state / "pki"

    @property
    def nodes(self) -> Path:
        """One folder per node: its record, containerd's root, the kubelet's root."""
        return self.state / "nodes"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    def kubeconfig_of(self, component: str) -> Path:
        return self.state / "kubeconfigs" / component

    @property
    def apiserver_url(self) -> str:
        return f"https://{self.address}:{self.ports.apiserver}"

    @property
    def registry(self) -> str:
        """host:port as used in image names. Plain HTTP."""
        return f"{self.address}:{self.ports.registry}"

    @property
    def temporal_address(self) -> str:
        """Always loopback: even if bound elsewhere, the dev server connects to its own services at 127.0.0.1."""
        return f"{LOOPBACK}:{self.ports.temporal}"

    @property
    def mirror_url(self) -> str:
        return f"http://{self.address}:{self.ports.mirror}"

    @property
    def arm_url(self) -> str:
        return f"https://{self.address}:{self.ports.arm}"


def _state_home() -> Path:
    home = os.environ.get("MODELYARD_HOME")
    return Path(home).expanduser().absolute() if home else _folder("XDG_STATE_HOME", ".local/state") / "modelyard"


def _folder(variable: str, below_home: str) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser().absolute() if value else Path.home() / below_home
