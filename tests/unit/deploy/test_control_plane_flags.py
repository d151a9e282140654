from pathlib import Path

import pytest

from deploy.local.cluster import flags
from deploy.local.cluster.certificates import KeyPair
from deploy.local.kubernetes.binaries import Binaries
from deploy.local.layout import Layout

PAIRS = {name: KeyPair(Path(f"/{name}.crt"), Path(f"/{name}.key")) for name in ("authority", "apiserver")}
PAIRS |= {name: KeyPair(Path(f"/{name}.crt"), Path(f"/{name}.key")) for name in ("kubelet-client", "controllers")}
KEY = Path("/signing.key")


def binaries(minor: int) -> Binaries:
    return Binaries(folder=Path("/kubernetes"), etcd=Path("/usr/bin/etcd"), minor=minor)


@pytest.mark.parametrize(("minor", "turned_off"), [(20, True), (22, True), (23, False), (34, False)])
def test_the_plain_http_port_is_turned_off_where_there_still_is_one(minor: int, turned_off: bool) -> None:
    layout = Layout.of("demo")
    manager = flags.controller_manager(layout, binaries(minor), PAIRS, KEY)
    scheduler = flags.scheduler(layout, binaries(minor), PAIRS)
    assert ("--port=0" in manager, "--port=0" in scheduler) == (turned_off, turned_off)


def test_the_api_server_listens_where_nodes_and_pods_reach_it() -> None:
    argv = flags.apiserver(Layout.of("test"), binaries(20), PAIRS, KEY)
    assert {"--bind-address=10.201.1.1", "--secure-port=16543", "--endpoint-reconciler-type=lease"} <= set(argv)
    assert "--authorization-mode=Node,RBAC" in argv


def test_without_nodes_the_api_server_stays_on_loopback() -> None:
    argv = flags.apiserver(Layout.of("test", with_nodes=False), binaries(20), PAIRS, KEY)
    assert {"--bind-address=127.0.0.1", "--endpoint-reconciler-type=none"} <= set(argv)


def test_beta_apis_are_off_in_every_version_but_for_those_that_older_ones_need() -> None:
    layout = Layout.of("test")
    old, new = (flags.apiserver(layout, binaries(minor), PAIRS, KEY)[-1] for minor in (20, 24))
    assert old.startswith("--runtime-config=api/beta=false,policy/v1beta1=true,")
    assert "runtime-config" not in new


def test_etcd_listens_on_loopback_only() -> None:
    argv = flags.etcd(Layout.of("demo"), binaries(20))
    assert not [flag for flag in argv if "http://" in flag and "http://127.0.0.1:" not in flag]


def test_no_flag_carries_a_secret() -> None:
    layout = Layout.of("demo")
    argv = flags.apiserver(layout, binaries(20), PAIRS, KEY)
    assert not [flag for flag in argv if "token" in flag or "password" in flag]
