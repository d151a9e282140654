"""The names of Services, for the pods of a local stack's node: what a cluster's DNS answers, which the stack has none
of.

Answers A records of ClusterIPs below `svc.cluster.local` as Kubernetes' DNS-based service discovery (schema 1.1.0, in
github.com/kubernetes/dns) has them, from a thread of this process. Everything else does not exist.
"""

import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Final

from deploy.local.cluster.kubectl import kubectl
from deploy.local.host.commands import CommandFailed
from deploy.local.layout import Layout
from deploy.local.network.nodes import folder_of

ZONE: Final = ("svc", "cluster", "local")
PORT: Final = 53
TTL_S: Final = 5
A, IN = 1, 1
ANSWER, KNOWN, NO_SUCH_NAME = 0x8400, 0, 3
"""Flags of an authoritative answer; codes of RFC 1035, 4.1.1."""

Lookup = Callable[[str, str], str | None]


@contextmanager
def names_of_services(layout: Layout, node: str, namespace: str) -> Iterator[None]:
    """Answers during the block. Pods of the namespace that are made on the node meanwhile ask here, with the search
    path that a kubelet gives pods of a cluster with DNS."""
    file = folder_of(layout, node) / "resolv.conf"
    before = file.read_text()
    search = " ".join(".".join(labels) for labels in ((namespace, *ZONE), ZONE, ZONE[1:]))
    with _Server((layout.address, PORT), lambda name, namespace: cluster_ip(layout, name, namespace)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file.write_text(f"nameserver {layout.address}\nsearch {search}\noptions ndots:5\n")
        try:
            yield
        finally:
            file.write_text(before)
            server.shutdown()


def cluster_ip(layout: Layout, service: str, namespace: str) -> str | None:
    """Returns a Service's address, None without such a Service."""
    wanted = ("-n", namespace, "get", "service", service, "--ignore-not-found", "-o", "jsonpath={.spec.clusterIP}")
    try:
        return kubectl(layout.admin_kubeconfig, *wanted) or None
    except CommandFailed:
        return None


def answer(query: bytes, lookup: Lookup) -> bytes:
    """Returns the reply to a DNS message with one question. Raises IndexError, struct.error for what is none."""
    identity, flags = struct.unpack_from("!HH", query)
    labels, end = _labels(query)
    (kind,) = struct.unpack_from("!H", query, end)
    question = query[12 : end + 4]
    found = lookup(labels[0], labels[1]) if tuple(labels[2:]) == ZONE else None
    records = b""
    if found and kind == A:
        # The name is that of the question, at offset 12 of the message.
        records = struct.pack("!HHHIH", 0xC00C, A, IN, TTL_S, 4) + IPv4Address(found).packed
    code = KNOWN if found else NO_SUCH_NAME
    # The client's wish for recursion is given back.
    header = struct.pack("!HHHHHH", identity, ANSWER | flags & 0x0100 | code, 1, 1 if records else 0, 0, 0)
    return header + question + records


def _labels(query: bytes) -> tuple[list[str], int]:
    """Returns the labels of the question's name and the offset behind it."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii", errors="replace").lower())
        at += 1 + length
    return labels, at + 1


class _Server(socketserver.ThreadingUDPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], lookup: Lookup) -> None:
        super().__init__(address, _Handler)
        self.lookup = lookup


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        query, socket = self.request
        socket.sendto(answer(query, self.server.lookup), self.client_address)
