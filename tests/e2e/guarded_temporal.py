"""The chart at a Temporal that asks for client certificates and refuses the OperatorService, as Temporal Cloud does: a
proxy in front of the local stack's own, and the Secrets by which pods reach it.

Real are Temporal, TLS, the Secrets and the kubelet that brings them to the pods; the proxy decides who may call.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client
from temporalio.service import TLSConfig

from deploy.local.cluster import owner_client
from deploy.local.cluster.kubectl import kubectl
from deploy.local.host.commands import run_logged
from deploy.local.kubernetes.helm import ensure_helm
from deploy.local.layout import REPOSITORY, Layout
from deploy.local.services import chart
from deploy.local.services.pods import NAMESPACE, await_pods, read_pods
from deploy.local.stack.up import bring_up
from testing.deadlines import PATIENCE_S
from testing.faults.temporal_authority import Authority
from testing.faults.temporal_proxy import OPERATOR_SERVICE
from testing.ports import free_port

CLIENT_SECRET: Final = "temporal-client"
CA_SECRET: Final = "temporal-ca"
NAMED_BY: Final = "TEMPORAL_TLS_CLIENT_CERT_PATH"
IN_USE: Final = "changed credentials of Temporal are in use: tls"
HELM_S: Final = 600


@dataclass
class Guarded:
    """Such a Temporal. `authority` has signed what both sides show now."""

    stack: Layout
    port: int
    folder: Path
    authority: Authority

    @property
    def address(self) -> str:
        """HOST:PORT, as pods reach it."""
        return f"{self.stack.address}:{self.port}"

    @contextmanager
    def listening(self) -> Iterator["subprocess.Popen[bytes]"]:
        """The proxy, a process of its own, until the block ends."""
        self.authority.tls.write(self.folder)
        argv = [sys.executable, "-m", "testing.faults.temporal_proxy", "--target", self.stack.temporal_address]
        argv += ["--host", self.stack.address, "--port", str(self.port)]
        argv += ["--folder", str(self.folder), "--refuse", OPERATOR_SERVICE]
        quiet = os.environ | {"GRPC_VERBOSITY": "NONE"}  # it tells every refused handshake
        with subprocess.Popen(argv, cwd=REPOSITORY, env=quiet) as proxy:
            try:
                yield proxy
            finally:
                proxy.terminate()

    def exchange(self, proxy: "subprocess.Popen[bytes]") -> Authority:
        """Replaces every certificate by one of an authority that nobody knows: the server's at once, the clients' in
        their Secrets. Returns the authority of before."""
        before, self.authority = self.authority, Authority.made(self.stack.address)
        self.authority.tls.write(self.folder)
        proxy.send_signal(signal.SIGHUP)
        self.write_secrets()
        return before

    def write_secrets(self) -> None:
        """Makes, or replaces, the Secrets that the chart's values name."""
        own = self.authority
        client = {"tls.crt": own.client.certificate, "tls.key": own.client.key}
        for name, files in ((CLIENT_SECRET, client), (CA_SECRET, {"ca.crt": own.ca.certificate})):
            data = {file: base64.b64encode(content).decode() for file, content in files.items()}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}}
            owner_client.apply(self.stack, f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}", secret | {"data": data})

    async def client(self, shown: Authority | None = None) -> Client:
        """A client that shows a certificate of this authority, or none. Raises RuntimeError where it is refused."""
        tls = TLSConfig(self.authority.ca.certificate)
        if shown:
            tls.client_cert, tls.client_private_key = shown.client.certificate, shown.client.key
        return await Client.connect(self.address, tls=tls)


@contextmanager
def installed(stack: Layout, folder: Path) -> Iterator[tuple[Guarded, "subprocess.Popen[bytes]"]]:
    """The stack's chart upgraded to such a Temporal; afterwards the stack is as it was."""
    guarded = Guarded(stack, free_port(), folder, Authority.made(stack.address))
    guarded.write_secrets()
    with guarded.listening() as proxy:
        try:
            began = time.monotonic()
            _upgrade(guarded)
            print(f"upgraded in {time.monotonic() - began:.1f} s")
            yield guarded, proxy
        finally:
            bring_up(stack.instance)
    kubectl(stack.admin_kubeconfig, "-n", NAMESPACE, "delete", "secret", CLIENT_SECRET, CA_SECRET)


def _upgrade(guarded: Guarded) -> None:
    stack = guarded.stack
    values = chart.values(stack)
    tls = {"enabled": True, "clientCertificateSecret": CLIENT_SECRET, "serverCaSecret": CA_SECRET}
    values["temporal"] = {"address": guarded.address, "tls": tls}
    file, log = stack.state / "guarded-temporal-values.json", stack.logs / "guarded-temporal.log"
    file.write_text(json.dumps(values, indent=1))
    options = ["--values", str(file), "--wait", "--timeout", f"{HELM_S}s"]
    program = ensure_helm(stack.cache, log, lambda words: None)
    argv = chart.helm_argv(stack, program, "upgrade", chart.RELEASE, str(chart.CHART), *options)
    run_logged(argv, log, deadline_s=HELM_S + 30, env=chart.helm_environment(stack))
    await_pods(stack.admin_kubeconfig, HELM_S)


def clients(stack: Layout) -> dict[str, tuple[str, str]]:
    """The pods that have a client's certificate: by name the id of each one's container, and of the pod."""
    return {
        pod["metadata"]["name"]: (pod["status"]["containerStatuses"][0]["containerID"], pod["metadata"]["uid"])
        for pod in read_pods(stack.admin_kubeconfig)
        if NAMED_BY in _variables(pod)
    }


def _variables(pod: dict[str, Any]) -> set[str]:
    return {each["name"] for container in pod["spec"]["containers"] for each in container.get("env", [])}


def await_in_use(stack: Layout) -> None:
    """Until each of those pods has said that it uses what its Secrets have now. Raises AssertionError."""
    ends = time.monotonic() + PATIENCE_S
    while missing := [name for name in clients(stack) if IN_USE not in log(stack, name)]:
        assert time.monotonic() < ends, f"still with the old certificates: {missing}"
        time.sleep(1)


def log(stack: Layout, pod: str) -> str:
    """What a pod of the chart has said."""
    return kubectl(stack.admin_kubeconfig, "-n", NAMESPACE, "logs", pod)
