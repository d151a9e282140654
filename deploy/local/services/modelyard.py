"""Modelyard's own processes as daemons: watcher, workers, admin service, webhook, and their settings.

Each process has its own identity in the cluster, as in production: the worker with cloud rights touches no pods, the
one with pod rights gets no cloud credential. `deploy/rbac` defines the rights of an identity.
"""

import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from api.policy.document import UNLIMITED
from deploy.local.host.daemons import Daemon
from deploy.local.host.probes import once_answers
from deploy.local.images.contents import DATA, FETCH, IMAGES, RUNTIME, TUNE
from deploy.local.images.images import reference
from deploy.local.layout import LOOPBACK, Layout

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
RESOURCE_GROUP = "modelyard"
CLUSTER = "local"
LOCATION = "eastus"
NODE_GROUP = f"MC_{RESOURCE_GROUP}_{CLUSTER}_{LOCATION}"
"""The resource group of nodes, whose name AKS makes of the others."""
# For training: OpenMP threads that busy-wait take CPU from those that work, and all share one machine here.
ON_SHARED_CPUS = {"OMP_WAIT_POLICY": "PASSIVE"}

NO_AMOUNTS = {"nodes": UNLIMITED, "dollarsPerHour": UNLIMITED}
WITHOUT_LIMITS = {"installation": NO_AMOUNTS, "defaults": NO_AMOUNTS}
"""The policy of a stack: nothing here costs money."""


@dataclass(frozen=True)
class Program:
    """One process: `module` and `arguments` for python -m, the cluster identity, the port of its metrics and health."""

    name: str
    module: str
    identity: str
    port: str
    arguments: tuple[str, ...] = ()
    cloud: bool = False


PROGRAMS = (
    Program("watcher", "watcher", "modelyard:watcher", "watcher_metrics"),
    Program(
        "worker-cluster",
        "worker",
        "modelyard:cluster-worker",
        "worker_cluster_metrics",
        arguments=("--queues", "workspaces,waits,releases"),
    ),
    Program(
        "worker-cloud",
        "worker",
        "modelyard:cloud-worker",
        "worker_cloud_metrics",
        arguments=("--queues", "cloud"),
        cloud=True,
    ),
    Program("admin", "admin", "modelyard:admin", "admin_metrics"),
)
"""The processes that reconcile Workspaces."""
WEBHOOK = Program("webhook", "admin.webhook", "modelyard:webhook", "webhook_metrics")
"""The admission webhook. Optional: `webhook.py` registers it with the API server."""


def programs(layout: Layout) -> tuple[Program, ...]:
    """Returns the programs to run; the webhook only with our own cluster.

    The API server of an existing cluster cannot reach a webhook here, and would refuse every Workspace.
    """
    return (*PROGRAMS, WEBHOOK) if layout.with_nodes else PROGRAMS


def program_daemon(layout: Layout, program: Program, kubeconfig: Path) -> Daemon:
    """Returns the daemon of one program, run with our interpreter and with `kubeconfig` as its identity."""
    return Daemon(
        name=program.name,
        argv=(sys.executable, "-m", program.module, *program.arguments),
        env=settings(layout, program, kubeconfig),
        ready=ready(layout, program),
        deadline_s=60.0,
    )


def address(layout: Layout, program: Program) -> str:
    """Returns host:port of the program's health and metrics."""
    return f"{LOOPBACK}:{getattr(layout.ports, program.port)}"


def ready(layout: Layout, program: Program) -> Callable[[], bool]:
    return once_answers(f"http://{address(layout, program)}/readyz")


def settings(layout: Layout, program: Program, kubeconfig: Path) -> dict[str, str]:
    """Returns the environment that configures one program; a cloud credential only for the worker with cloud rights."""
    found = {
        "MODELYARD_TEMPORAL_ADDRESS": layout.temporal_address,
        "MODELYARD_TEMPORAL_NAMESPACE": "default",
        "MODELYARD_TEMPORAL_ENVCONFIG": "false",  # a profile of the user's is for another server
        "MODELYARD_KUBECONFIG": str(kubeconfig),
        "MODELYARD_PROVIDER": "aks",
        "MODELYARD_AZURE_LOCATION": LOCATION,
        "MODELYARD_POLICY": str(policy_file(layout)),
        "NO_PROXY": without_proxy(layout),
        "no_proxy": without_proxy(layout),
    }
    if program == WEBHOOK:
        found |= _webhook_settings(layout)
    if program.name == "admin":
        # Whoever reaches loopback is on the stack's machine, and may stop it altogether.
        found |= {"MODELYARD_ADMIN_ADDRESS": admin_address(layout), "MODELYARD_ADMIN_AUTHENTICATION": "none"}
    found["MODELYARD_METRICS_ADDRESS"] = address(layout, program)
    return (
        found
        | (_own_sources(layout) if layout.with_nodes else _named_images())
        | (_cloud_settings(layout) if program.cloud else {})
    )


def admin_address(layout: Layout) -> str:
    """Returns host:port of the admin API, where it is a process of this machine."""
    return f"{LOOPBACK}:{layout.ports.admin}"


def webhook_address(layout: Layout) -> str:
    """Returns the address that the API server calls. Loopback, so that the user's proxy settings do not apply."""
    return f"{LOOPBACK}:{layout.ports.webhook}"


def _webhook_settings(layout: Layout) -> dict[str, str]:
    return {
        "MODELYARD_WEBHOOK_ADDRESS": webhook_address(layout),
        "MODELYARD_WEBHOOK_HOSTS": json.dumps([LOOPBACK]),
        "MODELYARD_WEBHOOK_CHECK_INTERVAL": "5",
    }


def _own_sources(layout: Layout) -> dict[str, str]:
    """Returns the sources of images and models of a stack with nodes; an existing cluster uses the user's settings."""
    return {
        "MODELYARD_RUNTIME_IMAGE": reference(layout, RUNTIME),
        "MODELYARD_FETCH_IMAGE": reference(layout, FETCH),
        "MODELYARD_TUNE_IMAGE": reference(layout, TUNE),
        "MODELYARD_DATA_IMAGE": reference(layout, DATA),
        "MODELYARD_TUNING_ENVIRONMENT": json.dumps(ON_SHARED_CPUS),
        "MODELYARD_ALLOWED_HOSTS": json.dumps([layout.address]),  # the mirror, which serves data sets too
        "MODELYARD_PLAIN_HTTP_REGISTRIES": json.dumps([layout.registry]),
        "MODELYARD_HF_ENDPOINT": layout.mirror_url,
    }


def _named_images() -> dict[str, str]:
    """Returns the images of model pods in an existing cluster: what the user's environment names, else names that its
    nodes must have themselves."""
    names = {f"MODELYARD_{image.target.upper()}_IMAGE": f"{image.repository}:dev" for image in IMAGES}
    return {name: os.environ.get(name, image) for name, image in names.items()}


def token_file(layout: Layout) -> Path:
    """Returns the credential for the ARM emulator, created on first use, readable by its owner only."""
    file = layout.state / "azure-token"
    layout.state.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    if not file.read_text():
        file.write_text(secrets.token_urlsafe(32))
    return file


def policy_file(layout: Layout) -> Path:
    """Returns the file of the stack's policy, created on first use; it is read again when it changes."""
    file = layout.state / "policy.yaml"
    layout.state.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text(json.dumps(WITHOUT_LIMITS, indent=1))
    return file


def _cloud_settings(layout: Layout) -> dict[str, str]:
    return {
        "MODELYARD_AZURE_ENDPOINT": layout.arm_url,
        "MODELYARD_AZURE_CA_FILE": str(layout.pki / "ca.crt"),
        "MODELYARD_AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "MODELYARD_AZURE_RESOURCE_GROUP": RESOURCE_GROUP,
        "MODELYARD_AZURE_CLUSTER": CLUSTER,
        "MODELYARD_AZURE_LOCATION": LOCATION,
        "MODELYARD_AZURE_CREDENTIAL": f"token-file:{token_file(layout)}",
    }


def without_proxy(layout: Layout) -> str:
    """Returns NO_PROXY with the stack's own addresses, which the user's proxy cannot reach."""
    ours = (layout.address, LOOPBACK, "localhost", str(layout.service_range), str(layout.pod_range))
    given = os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))
    return ",".join(dict.fromkeys([*given.split(","), *ours] if given else ours))
