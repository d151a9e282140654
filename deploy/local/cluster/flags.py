"""The command lines of etcd and the control plane, for Kubernetes 1.20 (which Debian's source gives) and later.

Pure functions from a layout, the minor version and certificates to argv; `control_plane` runs them.
"""

from collections.abc import Mapping
from pathlib import Path

from deploy.local.cluster.certificates import KeyPair
from deploy.local.kubernetes.binaries import Binaries
from deploy.local.layout import LOOPBACK, Layout

# From this minor version on the API server serves no beta APIs by default.
BETA_OFF_FROM = 24
# Beta APIs that controllers and clients of older versions require: PodDisruptionBudgets and EndpointSlices.
NEEDED_BETAS = ("policy/v1beta1", "discovery.k8s.io/v1beta1", "batch/v1beta1", "flowcontrol.apiserver.k8s.io/v1beta1")
# Before this minor version controller-manager and scheduler also open a plain HTTP port, which must be turned off.
NO_INSECURE_PORT_FROM = 23


def etcd(layout: Layout, binaries: Binaries) -> list[str]:
    client, peer = (f"http://{LOOPBACK}:{port}" for port in (layout.ports.etcd, layout.ports.etcd_peer))
    return [
        str(binaries.etcd),
        "--name=local",
        f"--data-dir={layout.state / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=local={peer}",
        # Only a crash of the machine could lose data; every write is several times faster without fsync.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(layout: Layout, binaries: Binaries, pairs: Mapping[str, KeyPair], signing_key: Path) -> list[str]:
    """`pairs` has "authority", "apiserver" (serving) and "kubelet-client" (for logs and exec on the kubelets)."""
    return [
        binaries.path("kube-apiserver"),
        f"--etcd-servers=http://{LOOPBACK}:{layout.ports.etcd}",
        f"--service-cluster-ip-range={layout.service_range}",
        f"--bind-address={layout.address}",
        f"--advertise-address={layout.address}",
        f"--secure-port={layout.ports.apiserver}",
        f"--tls-cert-file={pairs['apiserver'].certificate}",
        f"--tls-private-key-file={pairs['apiserver'].key}",
        f"--client-ca-file={pairs['authority'].certificate}",
        f"--kubelet-certificate-authority={pairs['authority'].certificate}",
        f"--kubelet-client-certificate={pairs['kubelet-client'].certificate}",
        f"--kubelet-client-key={pairs['kubelet-client'].key}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={signing_key}",
        f"--service-account-signing-key-file={signing_key}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        # A loopback address is rejected in the Endpoints of the `kubernetes` Service, with an error every ten seconds.
        f"--endpoint-reconciler-type={'lease' if layout.with_nodes else 'none'}",
        *_audit(layout),
        *_beta_apis(binaries.minor),
    ]


def audit_policy(layout: Layout) -> Path:
    """Returns the path of an optional audit policy, read when the API server starts."""
    return layout.state / "audit-policy.json"


def audit_log(layout: Layout) -> Path:
    """Returns the path of the audit log: one JSON line per request that the policy selects."""
    return layout.logs / "audit.log"


def controller_manager(
    layout: Layout, binaries: Binaries, pairs: Mapping[str, KeyPair], signing_key: Path
) -> list[str]:
    kubeconfig = layout.kubeconfig_of("system-kube-controller-manager")
    return [
        binaries.path("kube-controller-manager"),
        *_component(layout.ports.controller_manager, pairs["controllers"], kubeconfig, binaries.minor),
        f"--cluster-signing-cert-file={pairs['authority'].certificate}",
        f"--cluster-signing-key-file={pairs['authority'].key}",
        f"--root-ca-file={pairs['authority'].certificate}",
        f"--service-account-private-key-file={signing_key}",
        "--use-service-account-credentials=true",
        # A claim created before its StorageClass was seen waits for the next sync; the default is 15 s.
        "--pvclaimbinder-sync-period=2s",
        # Kubelets here renew their lease every 2 s; a lost node shows after 10 renewals, not after the default 40 s.
        "--node-monitor-period=2s",
        "--node-monitor-grace-period=20s",
    ]


def scheduler(layout: Layout, binaries: Binaries, pairs: Mapping[str, KeyPair]) -> list[str]:
    kubeconfig = layout.kubeconfig_of("system-kube-scheduler")
    common = _component(layout.ports.scheduler, pairs["controllers"], kubeconfig, binaries.minor)
    return [binaries.path("kube-scheduler"), *common]


def kube_proxy(binaries: Binaries, *, layout: Layout, name: str, address: str, kubeconfig: Path) -> list[str]:
    """kube-proxy in one of our network namespaces, which owns `address`; health and metrics listen there too."""
    return [
        binaries.path("kube-proxy"),
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={name}",
        # Given an address, kube-proxy before 1.34 skips its half-minute wait for the Node object.
        f"--bind-address={address}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={layout.pod_range}",
        f"--healthz-bind-address={address}:10256",
        f"--metrics-bind-address={address}:10249",
        "--iptables-min-sync-period=100ms",
        # The conntrack limits are global to the machine and cannot be written from a namespace.
        "--conntrack-max-per-core=0",
        "--conntrack-min=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ]


def _audit(layout: Layout) -> list[str]:
    if not audit_policy(layout).exists():
        return []
    return [f"--audit-policy-file={audit_policy(layout)}", f"--audit-log-path={audit_log(layout)}"]


def _beta_apis(minor: int) -> list[str]:
    """Makes older versions serve what later ones do: closer to production, and a third less CPU until ready."""
    if minor >= BETA_OFF_FROM:
        return []
    return ["--runtime-config=" + ",".join(["api/beta=false", *(f"{name}=true" for name in NEEDED_BETAS)])]


def _component(port: int, pair: KeyPair, kubeconfig: Path, minor: int) -> list[str]:
    """Returns the flags common to controller-manager and scheduler: one replica, on loopback, health over TLS."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--tls-cert-file={pair.certificate}",
        f"--tls-private-key-file={pair.key}",
        "--leader-elect=false",
        *(["--port=0"] if minor < NO_INSECURE_PORT_FROM else []),
    ]
