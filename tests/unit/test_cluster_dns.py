"""The DNS of e2e tests answers as a cluster's does: Services by their full names, and nothing else."""

import struct

import pytest

from testing.cluster_dns import ANSWER, NO_SUCH_NAME, A, answer

AAAA = 28
SERVICES = {("modelyard-temporal", "modelyard-system"): "10.221.0.7"}


def query(name: str, kind: int = A) -> bytes:
    """As glibc asks: recursion wished for."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", 77, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def asked(name: str, kind: int = A) -> bytes:
    return answer(query(name, kind), lambda service, namespace: SERVICES.get((service, namespace)))


def test_a_services_name_is_answered_with_its_address() -> None:
    reply = asked("Modelyard-Temporal.modelyard-system.svc.cluster.local")
    assert struct.unpack_from("!HHHH", reply) == (77, ANSWER | 0x0100, 1, 1)
    assert reply[-4:] == bytes([10, 221, 0, 7])


def test_a_name_without_an_address_of_that_kind_exists() -> None:
    reply = asked("modelyard-temporal.modelyard-system.svc.cluster.local", AAAA)
    assert struct.unpack_from("!HHHH", reply) == (77, ANSWER | 0x0100, 1, 0)


@pytest.mark.parametrize(
    "name",
    [
        "modelyard-temporal.modelyard-system.svc",
        "modelyard-temporal.modelyard-system.svc.svc.cluster.local",
        "modelyard-temporal.default.svc.cluster.local",
        "a.modelyard-temporal.modelyard-system.svc.cluster.local",
        "svc.cluster.local",
        "example.com",
    ],
)
def test_any_other_name_does_not_exist(name: str) -> None:
    (flags,) = struct.unpack_from("!H", asked(name), 2)
    assert flags & 0xF == NO_SUCH_NAME
