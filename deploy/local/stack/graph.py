"""The graph of a local stack: its steps, their dependencies, and the file that carries out each.

With an existing cluster only the steps that it lacks remain: no control plane, no nodes, no registry with images, no
model mirror. `runner.py` runs the steps.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from deploy.local.cluster.control_plane import start_control_plane
from deploy.local.cluster.kubeconfigs import mint_kubeconfig
from deploy.local.cluster.resources import ensure_crds, ensure_roles
from deploy.local.host import daemons
from deploy.local.host.daemons import Daemon
from deploy.local.images.contents import CONTROL_PLANE, DEVICE_PLUGIN, FOR_SERVING, FOR_TUNING, Image
from deploy.local.images.images import ensure_images, reference
from deploy.local.images.pause import push_pause_image
from deploy.local.layout import Layout, Report
from deploy.local.network.bridge import ensure_network
from deploy.local.network.nodes import NodeSpec
from deploy.local.nodes.gpu_plugin import ensure_gpu_plugin
from deploy.local.nodes.node import start_node
from deploy.local.services import modelyard
from deploy.local.services.chart import ensure_chart
from deploy.local.services.emulators import arm_daemon, mirror_daemon
from deploy.local.services.forwarders import admin_forwarder, temporal_forwarder
from deploy.local.services.registry import registry_daemon
from deploy.local.services.temporal import temporal_daemon
from deploy.local.services.webhook import ensure_admission
from deploy.local.stack.checks import check_machine
from deploy.local.stack.choices import Choices
from deploy.local.stack.components import addresses_needed
from deploy.local.stack.prepare import helm, kubernetes_programs, models_for_stack, system_packages
from deploy.local.stack.runner import Step

PROGRAM_NEEDS = ("roles", "Temporal", "ARM emulator")
# Labelled as AKS labels the nodes of a pool with mode System.
SIMULATED = {"kubernetes.azure.com/cluster": modelyard.NODE_GROUP}
SYSTEM_NODE = NodeSpec("system-0", {"agentpool": "system", "kubernetes.azure.com/mode": "system"})


def steps_of(layout: Layout, choices: Choices, *, tuning: bool = True) -> list[Step]:
    """Returns the steps that bring this instance up; without `tuning` they omit images used only by training."""
    addresses = addresses_needed(layout, choices)
    machine = Step("machine", lambda report: check_machine(layout, addresses, root=choices.own_cluster))
    if choices.kubeconfig is None:
        steps = [machine, *_own_cluster(layout), *(_pods(layout) if choices.pods else _processes(layout))]
        return [*steps, _images(layout, "images for tuning", FOR_TUNING, ("images",))] if tuning else steps
    kubeconfig = choices.kubeconfig
    return [machine, *_existing_cluster(layout, kubeconfig), *_programs(layout, PROGRAM_NEEDS, lambda user: kubeconfig)]


def _own_cluster(layout: Layout) -> list[Step]:
    return [
        system_packages(layout),
        kubernetes_programs(layout),
        *models_for_stack(layout),
        Step("network", lambda report: ensure_network(layout), ("system packages",)),
        _daemon(layout, "registry", ("network",), registry_daemon),
        _daemon(layout, "Temporal", ("network",), temporal_daemon),
        Step("control plane", lambda report: start_control_plane(layout), ("Kubernetes programs", "network")),
        _images(layout, "images", FOR_SERVING, ("registry",)),
        _images(layout, "device plugin's image", (DEVICE_PLUGIN,), ("registry",)),
        Step(
            "device plugin",
            lambda report: ensure_gpu_plugin(layout, reference(layout, DEVICE_PLUGIN)),
            ("control plane", "device plugin's image"),
            layout.logs / "gpu-plugin.log",
        ),
        Step("pause image", lambda report: _push_pause_image(layout), ("registry",)),
        Step("system node", lambda report: start_node(layout, SYSTEM_NODE), ("control plane", "pause image")),
        _daemon(layout, "model mirror", ("models and data", "network"), mirror_daemon),
        _daemon(layout, "ARM emulator", ("control plane",), arm_daemon),
    ]


def _pods(layout: Layout) -> list[Step]:
    """Modelyard as its chart installs it. What pods of models need comes at the same time."""
    log = layout.logs / "chart.log"
    needs = ("Helm", "control plane's image", "system node", "Temporal for pods", "ARM emulator", "model mirror")
    return [
        helm(layout),
        _images(layout, "control plane's image", (CONTROL_PLANE,), ("registry",)),
        _daemon(layout, "Temporal for pods", ("Temporal",), temporal_forwarder),
        Step("chart", lambda report: ensure_chart(layout, log, report), needs, log),
        _daemon(layout, "admin service", ("chart",), admin_forwarder),
    ]


def _processes(layout: Layout) -> list[Step]:
    """Modelyard as processes of this machine, in a cluster that is too old for the chart."""
    needs = (*PROGRAM_NEEDS, "model mirror")
    return [
        *_cluster_resources(layout, layout.admin_kubeconfig, "control plane"),
        *_webhook(layout),
        *_programs(layout, needs, partial(mint_kubeconfig, layout)),
    ]


def _existing_cluster(layout: Layout, kubeconfig: Path) -> list[Step]:
    return [
        _daemon(layout, "Temporal", ("machine",), temporal_daemon),
        *_cluster_resources(layout, kubeconfig, "machine"),
        # The emulator's machines run no pods: this is what its nodes wait for with their GPUs, and real nodes ignore.
        Step(
            "device plugin",
            lambda report: ensure_gpu_plugin(layout, "simulated", kubeconfig=kubeconfig, only_on=SIMULATED),
            ("machine",),
            layout.logs / "gpu-plugin.log",
        ),
        _daemon(layout, "ARM emulator", ("machine",), partial(arm_daemon, kubeconfig=kubeconfig)),
    ]


def _cluster_resources(layout: Layout, kubeconfig: Path, need: str) -> list[Step]:
    crds, roles = layout.logs / "crds.log", layout.logs / "roles.log"
    return [
        Step("CRDs", lambda report: ensure_crds(kubeconfig, crds, report), (need,), crds),
        Step("roles", lambda report: ensure_roles(kubeconfig, roles, report), ("CRDs",), roles),
    ]


def _webhook(layout: Layout) -> list[Step]:
    """Depends on the API server alone, which is also its only client."""
    log = layout.logs / "admission.log"
    return [
        Step(
            "admission", lambda report: ensure_admission(layout, layout.admin_kubeconfig, log, report), ("roles",), log
        ),
        _program(layout, modelyard.WEBHOOK, ("admission",), partial(mint_kubeconfig, layout)),
    ]


def _images(layout: Layout, name: str, wanted: tuple[Image, ...], needs: tuple[str, ...]) -> Step:
    return Step(name, lambda report: ensure_images(layout, wanted, report), needs, layout.logs / "images.log")


def _push_pause_image(layout: Layout) -> None:
    push_pause_image(layout)


def _daemon(layout: Layout, name: str, needs: tuple[str, ...], make: Callable[[Layout], Daemon]) -> Step:
    """Creates the daemon only when the step runs: that writes its configuration."""

    def ensure(report: Report) -> None:
        daemon = make(layout)
        report(f"waiting until {daemon.name} is ready")
        daemons.start(layout, daemon)

    return Step(name, ensure, needs)


def _programs(layout: Layout, needs: tuple[str, ...], kubeconfig_of: Callable[[str], Path]) -> list[Step]:
    """Modelyard's own processes; `kubeconfig_of` returns the kubeconfig of an identity."""
    return [_program(layout, program, needs, kubeconfig_of) for program in modelyard.PROGRAMS]


def _program(
    layout: Layout, program: modelyard.Program, needs: tuple[str, ...], kubeconfig_of: Callable[[str], Path]
) -> Step:
    def ensure(report: Report) -> None:
        report(f"waiting until {program.name} is ready")
        daemons.start(layout, modelyard.program_daemon(layout, program, kubeconfig_of(program.identity)))

    return Step(program.name, ensure, needs)
