"""The network between this machine, the nodes and the pods of one local stack.

A bridge joins the machine (.1), a gateway namespace (.2) and the nodes. The gateway routes between pod subnets and
translates Service addresses to pods, so that the machine's own iptables and forwarding stay unchanged, except for two
rules that let the bridge through a firewall. The gateway has no route to the outside, so no packet leaves.
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
    """Sets up bridge, gateway, routes and firewall rules; keeps existing ones. Raises NetworkFailed, DaemonFailed."""
    if not _interface(layout.bridge).exists():
        # Without an address of its own a bridge takes its ports' lowest, and changes it when nodes come and go.
        _run("ip", "link", "add", layout.bridge, "address", hardware_address(layout.node_subnet[1]), "type", "bridge")
    _run("ip", "address", "replace", f"{layout.address}/{layout.node_subnet.prefixlen}", "dev", layout.bridge)
    _run("ip", "link", "set", layout.bridge, "up")
    for rule in firewall_rules(layout):
        if not _succeeds("iptables", "-w", "-C", *rule):
            _run("iptables", "-w", "-I", *rule)
    namespaces.hold(layout, GATEWAY)
    attach(layout, GATEWAY, 0, gateway_address(layout))
    # Addresses of missing pods must not leave by the default route; every node's /24 is more specific.
    _run("ip", "route", "replace", "blackhole", str(layout.pod_range))
    _run(*_in_gateway(layout), "ip", "route", "replace", "blackhole", str(layout.pod_range))
    for number in nodes.numbers(layout).values():
        # A new gateway lacks the routes of existing nodes.
        _route_to_pods(layout, number)
    _run("ip", "route", "replace", str(layout.service_range), "via", str(gateway_address(layout)))


def tear_down_network(layout: Layout) -> None:
    """Reverts `ensure_network`, after the nodes have been stopped. Raises NetworkFailed, DaemonFailed."""
    namespaces.release(layout, GATEWAY)
    # Before the bridge, so that a stack without a bridge has nothing else left either.
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
    """Returns rules for traffic to our services, and across the bridge if bridged packets are filtered."""
    mark = ("-m", "comment", "--comment", f"modelyard-{layout.instance}", "-j", "ACCEPT")
    return [("INPUT", "-i", layout.bridge, *mark), ("FORWARD", "-i", layout.bridge, "-o", layout.bridge, *mark)]


def gateway_address(layout: Layout) -> IPv4Address:
    return layout.node_subnet[2]


def enter_gateway(layout: Layout) -> Sequence[str]:
    return namespaces.enter(layout, GATEWAY)


def connect_node(layout: Layout, name: str, number: int) -> None:
    """Connects a node's namespaces to the bridge and makes its pods reachable. Raises NetworkFailed."""
    attach(layout, name, number, layout.node_address(number))
    default = ("ip", "route", "replace", "default", "via", str(gateway_address(layout)))
    _run(*_in_network(layout, name), *default)
    _route_to_pods(layout, number)


def disconnect_node(layout: Layout, number: int) -> None:
    """Reverts what `connect_node` did outside the node. Raises NetworkFailed."""
    pods = str(layout.pod_subnet(number))
    if _succeeds("ip", "route", "show", "exact", pods, expect="via"):
        _run("ip", "route", "delete", pods)
    if namespaces.held(layout, GATEWAY):
        in_gateway = _in_gateway(layout)
        if _succeeds(*in_gateway, "ip", "route", "show", "exact", pods, expect="via"):
            _run(*in_gateway, "ip", "route", "delete", pods)
    remove_link(veth(layout, number))


def set_link(layout: Layout, number: int, state: str) -> None:
    """ "down" disconnects a node from everything, like a pulled cable; "up" reconnects it. Raises NetworkFailed."""
    _run("ip", "link", "set", veth(layout, number), state)


def veth(layout: Layout, number: int) -> str:
    """Returns the name of the machine's end of the veth pair to a node (0 is the gateway)."""
    return f"{_veth_prefix(layout)}{number}"


def remove_link(name: str) -> None:
    """Deletes the interface; it may already be gone. Raises NetworkFailed.

    After the namespaces at the other end of a veth pair have ended, the kernel deletes the pair by itself a moment
    later: it may exist when listed and be gone when it is to be deleted.
    """
    try:
        _run("ip", "link", "delete", name)
    except NetworkFailed:
        if _interface(name).exists():
            raise


def hardware_address(address: IPv4Address) -> str:
    """Derives the MAC from the address, so that neighbours' ARP caches stay valid when a namespace is replaced."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x00, *address.packed))


def attach(layout: Layout, name: str, number: int, address: IPv4Address) -> None:
    """Creates a veth pair from the bridge to eth0 in the namespaces, with an address. Raises NetworkFailed."""
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
    # Also for an existing pair: a recreated bridge has lost its ports.
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
    """Returns whether the exit status is 0 and, if given, `expect` is in the output."""
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=COMMAND_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetworkFailed(f"{' '.join(argv)}: {error}") from error
    return answer.returncode == 0 and expect in answer.stdout
