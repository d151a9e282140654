"""The processes of a local stack by the names of their daemons: their addresses and readiness probes.

The one table behind the port check and `status`. The file of each process starts it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from deploy.local.host.probes import once_answers, once_port_open
from deploy.local.layout import LOOPBACK, Layout
from deploy.local.network.bridge import GATEWAY, gateway_address
from deploy.local.services import forwarders, modelyard
from deploy.local.services.temporal import temporal_ready
from deploy.local.stack.choices import Choices


@dataclass(frozen=True)
class Component:
    """`address` is host:port; `more` are further ports that the same process listens on, by their purpose."""

    name: str
    address: str
    ready: Callable[[], bool]
    more: tuple[tuple[str, int], ...] = ()

    def listens_on(self) -> dict[str, tuple[str, int]]:
        """Returns address and port of everything that the process listens on, by its purpose."""
        host, port = self.address.rsplit(":", 1)
        more = {f"{self.name} {purpose}": (host, number) for purpose, number in self.more}
        return {self.name: (host, int(port))} | more


def components_of(layout: Layout, choices: Choices) -> list[Component]:
    """Returns the components of a running instance, in the order in which `status` shows them."""
    ours = _forwarders(layout) if choices.pods else [_program(layout, each) for each in modelyard.programs(layout)]
    shared = [_temporal(layout), _arm(layout), *ours]
    if not choices.own_cluster:
        return shared
    return [*_control_plane(layout), _http("registry", layout.registry, "/v2/"), _mirror(layout), *shared]


def addresses_needed(layout: Layout, choices: Choices) -> dict[str, tuple[str, int]]:
    """Returns every address and port of this machine that the instance listens on, by its purpose.

    Listeners inside the namespaces of nodes and gateway cannot conflict.
    """
    found: dict[str, tuple[str, int]] = {}
    for component in components_of(layout, choices):
        found |= component.listens_on()
    return {name: place for name, place in found.items() if place[0] in (layout.address, LOOPBACK)}


def _control_plane(layout: Layout) -> list[Component]:
    ports, ca = layout.ports, layout.pki / "ca.crt"
    apiserver = f"{layout.address}:{ports.apiserver}"
    return [
        _http("etcd", f"{LOOPBACK}:{ports.etcd}", "/health", more=(("peers", ports.etcd_peer),)),
        Component("kube-apiserver", apiserver, once_answers(f"https://{apiserver}/readyz", ca=ca)),
        _listening("kube-controller-manager", LOOPBACK, ports.controller_manager),
        _listening("kube-scheduler", LOOPBACK, ports.scheduler),
        _http(f"kube-proxy-{GATEWAY}", f"{gateway_address(layout)}:10256", "/healthz"),
    ]


def _temporal(layout: Layout) -> Component:
    more = (("UI", layout.ports.temporal_ui), ("metrics", layout.ports.temporal_metrics))
    return Component("temporal", layout.temporal_address, temporal_ready(layout), more)


def _arm(layout: Layout) -> Component:
    ready = once_answers(f"{layout.arm_url}/_control/state", ca=layout.pki / "ca.crt")
    return Component("arm", f"{layout.address}:{layout.ports.arm}", ready)


def _mirror(layout: Layout) -> Component:
    return _http("mirror", f"{layout.address}:{layout.ports.mirror}", "/_control/state")


def _forwarders(layout: Layout) -> list[Component]:
    return [
        Component(name, forwarders.address(layout, name), partial(forwarders.ready, layout, name))
        for name in forwarders.NAMES
    ]


def _program(layout: Layout, program: modelyard.Program) -> Component:
    requests = {"webhook": layout.ports.webhook, "admin": layout.ports.admin}.get(program.name)
    more = (("requests", requests),) if requests else ()
    return Component(program.name, modelyard.address(layout, program), modelyard.ready(layout, program), more)


def _http(name: str, address: str, path: str, more: tuple[tuple[str, int], ...] = ()) -> Component:
    return Component(name, address, once_answers(f"http://{address}{path}"), more)


def _listening(name: str, host: str, port: int) -> Component:
    return Component(name, f"{host}:{port}", once_port_open(host, port))
