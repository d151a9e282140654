"""Starts and stops the real Kubernetes control plane of a local stack.

etcd and kube-apiserver always; controller-manager, scheduler, the gateway's kube-proxy and the provisioner of volumes
only with `controllers`. `flags.py` builds their command lines, `network/` the network below them.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.local.cluster import certificates, flags, gateway_node, owner_client, volumes
from deploy.local.cluster.kubeconfigs import mint_kubeconfig, write_admin_kubeconfig
from deploy.local.host import daemons, probes
from deploy.local.kubernetes.binaries import Binaries, require_binaries
from deploy.local.layout import LOOPBACK, Layout
from deploy.local.network import bridge

PROVISIONER = "volumes"
# In the order in which they are stopped, with the grace period of each in seconds. The API server would wait a
# minute for its clients' connections, even those of removed nodes; it holds nothing that a kill could lose.
STOP_S = {
    PROVISIONER: 2.0,
    "kube-proxy-gateway": 2.0,
    "kube-scheduler": 2.0,
    "kube-controller-manager": 2.0,
    "kube-apiserver": 1.0,
    "etcd": 20.0,
}
DEFAULT_IDENTITY_S = 60.0
# Until this minor version a controller creates the token Secret of each ServiceAccount.
NO_TOKEN_SECRETS_FROM = 24


def start_control_plane(layout: Layout, *, controllers: bool = True) -> None:
    """Returns once the control plane is usable; keeps what runs already. Raises DaemonFailed, BinariesMissing."""
    binaries = require_binaries(layout)
    pairs = _certificates(layout)
    signing_key = certificates.ensure_signing_key(layout, "service-accounts")
    write_admin_kubeconfig(layout)
    if layout.with_nodes:
        bridge.ensure_network(layout)
    etcd_ready = probes.once_answers(f"http://{LOOPBACK}:{layout.ports.etcd}/health")
    daemons.start(layout, daemons.Daemon("etcd", flags.etcd(layout, binaries), etcd_ready))
    argv = flags.apiserver(layout, binaries, pairs, signing_key)
    daemons.start(layout, daemons.Daemon("kube-apiserver", argv, _apiserver_ready(layout), deadline_s=60))
    if controllers:
        _start_controllers(layout, binaries, pairs, signing_key)


def stop_control_plane(layout: Layout) -> None:
    """Stops every process of the control plane; data, certificates and the network stay. Raises DaemonFailed."""
    for name, seconds in STOP_S.items():
        daemons.stop(layout, name, deadline_s=seconds)


def _start_controllers(
    layout: Layout, binaries: Binaries, pairs: dict[str, certificates.KeyPair], signing_key: Path
) -> None:
    mint_kubeconfig(layout, "system:kube-controller-manager")
    mint_kubeconfig(layout, "system:kube-scheduler")
    if layout.with_nodes:
        gateway_node.ensure_gateway(layout, binaries.minor)
    manager = daemons.Daemon(
        "kube-controller-manager",
        flags.controller_manager(layout, binaries, pairs, signing_key),
        _component_ready(layout, layout.ports.controller_manager),
    )
    scheduler = daemons.Daemon(
        "kube-scheduler",
        flags.scheduler(layout, binaries, pairs),
        _component_ready(layout, layout.ports.scheduler),
    )
    with_nodes = [_gateway_proxy(layout, binaries), _provisioner(layout)] if layout.with_nodes else []
    started = [manager, scheduler, *with_nodes]
    with ThreadPoolExecutor(len(started)) as pool:
        list(pool.map(lambda daemon: daemons.start(layout, daemon), started))
    _await_default_identity(layout, binaries.minor)
    if layout.with_nodes:
        _ensure_storage_class(layout)


def _provisioner(layout: Layout) -> daemons.Daemon:
    folder = layout.state / "volumes"
    argv = [sys.executable, "-m", "deploy.local.cluster.volumes"]
    argv += ["--kubeconfig", str(layout.admin_kubeconfig), "--folder", str(folder)]
    # Claims wait for it.
    return daemons.Daemon(PROVISIONER, argv, lambda: True)


def _ensure_storage_class(layout: Layout) -> None:
    """Replaces the class of an earlier version of this stack: the provisioner of a class cannot be changed."""
    wanted = volumes.STORAGE_CLASS
    path = f"/apis/storage.k8s.io/v1/storageclasses/{volumes.CLASS}"
    found = owner_client.read(layout, path)
    if found is not None and found["provisioner"] != wanted["provisioner"]:
        owner_client.request(layout, "DELETE", path)
    owner_client.apply(layout, path, wanted)


def _await_default_identity(layout: Layout, minor: int) -> None:
    """Waits for the default ServiceAccount, without which the API server refuses pods. Raises DaemonFailed."""
    deadline = time.monotonic() + DEFAULT_IDENTITY_S
    while True:
        account = owner_client.read(layout, "/api/v1/namespaces/default/serviceaccounts/default")
        if account is not None and (account.get("secrets") or minor >= NO_TOKEN_SECRETS_FROM):
            return
        if time.monotonic() > deadline:
            log = daemons.log_of(layout, "kube-controller-manager")
            what = f"made no usable ServiceAccount in {DEFAULT_IDENTITY_S:g} s"
            raise daemons.DaemonFailed("kube-controller-manager", what, log)
        time.sleep(0.1)


def _gateway_proxy(layout: Layout, binaries: Binaries) -> daemons.Daemon:
    kubeconfig = mint_kubeconfig(layout, "system:kube-proxy")
    address = str(bridge.gateway_address(layout))
    argv = flags.kube_proxy(binaries, layout=layout, name="gateway", address=address, kubeconfig=kubeconfig)
    ready = probes.once_answers(f"http://{address}:10256/healthz")
    return daemons.Daemon("kube-proxy-gateway", argv, ready, enter=bridge.enter_gateway(layout), deadline_s=60)


def _certificates(layout: Layout) -> dict[str, certificates.KeyPair]:
    own_service = str(layout.service_range[1])
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", LOOPBACK, own_service)
    return {
        "authority": certificates.ensure_authority(layout),
        "apiserver": certificates.ensure_certificate(
            layout, "apiserver", common_name="kube-apiserver", hosts=list(dict.fromkeys([*names, layout.address]))
        ),
        "kubelet-client": certificates.ensure_certificate(
            layout, "kubelet-client", common_name="kube-apiserver-kubelet-client", organizations=("system:masters",)
        ),
        "controllers": certificates.ensure_certificate(
            layout, "controllers", common_name="controllers", hosts=(LOOPBACK, "localhost")
        ),
    }


def _apiserver_ready(layout: Layout) -> Callable[[], bool]:
    """Also checks that the default namespace exists: /readyz succeeds a moment before."""
    pair, ca = owner_client.owner_pair(layout), layout.pki / "ca.crt"
    urls = [layout.apiserver_url + path for path in ("/readyz", "/api/v1/namespaces/default")]
    return lambda: all(probes.answers(url, ca=ca, client=(pair.certificate, pair.key)) for url in urls)


def _component_ready(layout: Layout, port: int) -> Callable[[], bool]:
    return probes.once_answers(f"https://{LOOPBACK}:{port}/healthz", ca=layout.pki / "ca.crt")
