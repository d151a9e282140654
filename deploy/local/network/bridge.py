"""The network between this machine, the nodes and the pods of one local stack.

A bridge joins the machine (.1), a gateway namespace (.2) and the nodes. The gateway routes between pod subnets and
turns Service addresses into pods, so that the machine's own iptables and forwarding stay as they are, but for two rules
that let the bridge through a firewall. Nothing leads from the gateway to elsewhere, so no packet gets out.
"""

import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from deploy.local.host import mount_points
from deploy.local.layout import Layout
from deploy.local.network import namespaces, nodes

GATEWAY = "gateway"
COMMAND_S = 15


class NetworkFailed(RuntimeError):
    """A command that sets up the network failed; the message has its output."""


def ensure_network(layout: Layout) -> None:
    """Bridge, gateway, routes and firewall rules; what is there already is kept. Raises NetworkFailed, DaemonFailed."""
    if not _interface(layout.bridge).exists():
        # Without an address of its own a bridge takes the lowest of its ports', and changes it when nodes come and go.
        _run("ip", "link", "add", layout.bridge, "address", hardware_address(layout.node_subnet[1]), "type", "bridge")
    _run("ip", "address", "replace", f"{layout.address}/{layout.node_subnet.prefixlen}", "dev", layout.bridge)
    _run("ip", "link", "set", layout.bridge, "up")
    for rule in firewall_rules(layout):
        if not _succeeds("iptables", "-w", "-C", *rule):
            _run("iptables", "-w", "-I", *rule)
    namespaces.hold(layout, GATEWAY)
    attach(layout, GATEWAY, 0, gateway_address(layout))
    # Addresses of pods that are not there must not leave by the default route; every node's /24 is more specific.
    _run("ip", "route", "replace", "blackhole", str(layout.pod_range))
    _run(*_in_gateway(layout), "ip", "route", "replace", "blackhole", str(layout.pod_range))
    for number in nodes.numbers(layout).values():
        # A gateway that is new has lost what nodes told the old one.
        _route_to_pods(layout, number)
    _run("ip", "route", "replace", str(layout.service_range), "via", str(gateway_address(layout)))


def tear_down_network(layout: Layout) -> None:
    """Takes back what `ensure_network` did; the nodes have been stopped before. Raises NetworkFailed, DaemonFailed."""
    namespaces.release(layout, GATEWAY)
    # Before the bridge goes, so that a stack whose bridge is not there has nothing else there either.
    mount_points.remove_unused()
    for rule in firewall_rules(layout):
        while _succeeds("iptables", "-w", "-C", *rule):
            _run("iptables", "-w", "-D", *rule)
    if _succeeds("ip", "route", "show", "exact", str(layout.pod_range), expect="blackhole"):
        _run("ip", "route", "delete", "blackhole", str(layout.pod_range))
    for interface in Path("/sys/class/net").glob(f"{_veth_prefix(layout)}*"):
        remove_link(interface.name)
    remove_link(layout.bridge)


def firewall_rules(layout: Layout) -> list[tuple[str, ...]]:
    """What a firewall must let through: to our services, and across the bridge where bridged packets are filtered."""
    mark = ("-m", "comment", "--comment", f"modelyard-{layout.instance}", "-j", "ACCEPT")
    return [("INPUT", "-i", layout.bridge, *mark), ("FORWARD", "-i", layout.bridge, "-o", layout.bridge, *mark)]


def gateway_address(layout: Layout) -> IPv4Address:
    return layout.node_subnet[2]


def enter_gateway(layout: Layout) -> Sequence[str]:
    return namespaces.enter(layout, GATEWAY)


def connect_node(layout: Layout, name: str, number: int) -> None:
    """Plugs a node's namespaces into the bridge and makes its pods reachable. Raises NetworkFailed."""
    attach(layout, name, number, layout.node_address(number))
    default = ("ip", "route", "replace", "default", "via", str(gateway_address(layout)))
    _run(*_in_network(layout, name), *default)
    _route_to_pods(layout, number)


def disconnect_node(layout: Layout, number: int) -> None:
    """Takes back what `connect_node` did outside the node. Raises NetworkFailed."""
    pods = str(layout.pod_subnet(number))
    if _succeeds("ip", "route", "show", "exact", pods, expect="via"):
        _run("ip", "route", "delete", pods)
    if namespaces.held(layout, GATEWAY):
        in_gateway = _in_gateway(layout)
        if _succeeds(*in_gateway, "ip", "route", "show", "exact", pods, expect="via"):
            _run(*in_gateway, "ip", "route", "delete", pods)
    remove_link(veth(layout, number))


def set_link(layout: Layout, number: int, state: str) -> None:
    """ "down" parts a node from everything, as a pulled cable would; "up" plugs it in again. Raises NetworkFailed."""
    _run("ip", "link", "set", veth(layout, number), state)


def veth(layout: Layout, number: int) -> str:
    """The machine's end of the cable to a node (0 is the gateway)."""
    return f"{_veth_prefix(layout)}{number}"


def remove_link(name: str) -> None:
    """The interface is gone, whoever took it away. Raises NetworkFailed.

    Once the namespaces at the other end of a cable have ended, the kernel takes the cable away, a moment later and by
    itself: it may be there when it is looked for and gone when it is to be deleted.
    """
    try:
        _run("ip", "link", "delete", name)
    except NetworkFailed:
        if _interface(name).exists():
            raise


def hardware_address(address: IPv4Address) -> str:
    """Follows from the address, so that neighbours find a namespace that was replaced without asking anew."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x00, *address.packed))


def attach(layout: Layout, name: str, number: int, address: IPv4Address) -> None:
    """A cable from the bridge to eth0 in the namespaces, with an address. Raises NetworkFailed."""
    inside, outer = _in_network(layout, name), veth(layout, number)
    if not _succeeds(*inside, "ip", "link", "show", "eth0"):
        remove_link(outer)
        peer = (
            "peer",
            "name",
            "eth0",
            "address",
            hardware_address(address),
            "netns",
            str(namespaces.first_pid(layout, name)),
        )
        _run("ip", "link", "add", outer, "type", "veth", *peer)
    # Also for a cable that was there: a bridge that was made anew has lost its ports.
    _run("ip", "link", "set", outer, "master", layout.bridge, "up")
    _run(*inside, "ip", "address", "replace", f"{address}/{layout.node_subnet.prefixlen}", "dev", "eth0")
    _run(*inside, "ip", "link", "set", "eth0", "up")


def _route_to_pods(layout: Layout, number: int) -> None:
    route = ("ip", "route", "replace", str(layout.pod_subnet(number)), "via", str(layout.node_address(number)))
    _run(*route)
    _run(*_in_gateway(layout), *route)


def _in_gateway(layout: Layout) -> Sequence[str]:
    return _in_network(layout, GATEWAY)


def _in_network(layout: Layout, name: str) -> Sequence[str]:
    return ("nsenter", "--target", str(namespaces.first_pid(layout, name)), "--net", "--")


def _veth_prefix(layout: Layout) -> str:
    return f"my{layout.index}n"


def _interface(name: str) -> Path:
    return Path("/sys/class/net", name)


def _run(*argv: str) -> None:
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=COMMAND_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetworkFailed(f"{' '.join(argv)}: {error}") from error
    if answer.returncode:
        raise NetworkFailed(f"{' '.join(argv)}: {(answer.stderr or answer.stdout).strip()}")


def _succeeds(*argv: str, expect: str = "") -> bool:
    """Whether the answer to a question is yes: exit status 0 and, where given, this word in the output."""
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=COMMAND_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetworkFailed(f"{' '.join(argv)}: {error}") from error
    return answer.returncode == 0 and expect in answer.stdout
