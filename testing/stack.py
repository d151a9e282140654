"""Starts and stops a whole stack: a real control plane, Temporal, the ARM emulator, the mirror, our own processes.

Machines are Node objects, pods are simulated by `simulated_kubelet.py`; everything else is the program that production
runs, under its own identity. Processes left by an earlier, interrupted run are stopped first.
"""

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from api.pods.serve import SERVE_PORT
from deploy.local.azure.control_client import Address, ControlClient
from deploy.local.cluster.control_plane import start_control_plane
from deploy.local.cluster.flags import audit_policy
from deploy.local.cluster.kubeconfigs import mint_kubeconfig
from deploy.local.cluster.resources import DEPLOY, ensure_crds_without_rules, ensure_roles
from deploy.local.host import daemons
from deploy.local.host.daemons import Daemon
from deploy.local.host.probes import once_answers
from deploy.local.host.sole_use import sole_use
from deploy.local.layout import Layout
from deploy.local.network.bridge import ensure_network
from deploy.local.nodes.gpu_plugin import ensure_gpu_plugin
from deploy.local.services import modelyard
from deploy.local.services.emulators import arm_daemon, mirror_daemon
from deploy.local.services.temporal import temporal_daemon
from deploy.local.stack import down
from deploy.local.stack.runner import Step, run_steps
from testing.checkouts import ROOT, Checkout, programs_of
from testing.model_repositories import write_repositories
from testing.pods.rules import PodRules, set_rules

KUBELET: Final = "simulated-kubelet"
# The emulator's default delays in tests and measurements; real ones are minutes.
ARM_SETTINGS: Final[Mapping[str, object]] = {
    "create_seconds": 0.5,
    "update_seconds": 0.2,
    "delete_seconds": 0.3,
    "retry_after_seconds": 0,
}
# Interval of polling an operation if ARM sends no Retry-After; the default is production's.
POLLING_S: Final = "0.5"


class Stack:
    """One instance. `environment` adds settings to our own processes, `audit` is the API server's audit policy;
    watcher, workers and admin are those of `checkout`, of this one without it. Without `search_attributes` Temporal has
    none of ours."""

    def __init__(
        self,
        instance: str,
        environment: Mapping[str, str] | None = None,
        audit: Mapping[str, object] | None = None,
        checkout: Checkout | None = None,
        *,
        search_attributes: bool = True,
    ) -> None:
        self.layout = Layout.of(instance)
        self._audit = audit
        self._checkout = checkout
        self._search_attributes = search_attributes
        self._environment = {"MODELYARD_AZURE_POLLING_INTERVAL": POLLING_S, **(environment or {})}
        self._daemons: dict[str, Daemon] = {}
        self.arm: ControlClient
        self.programs: tuple[str, ...] = ()
        """Names of watcher, workers and admin, once they run."""

    def start(self) -> None:
        """Returns when everything is ready. Raises DaemonFailed, CommandFailed, BinariesMissing."""
        self.stop()
        layout = self.layout
        layout.state.mkdir(parents=True)
        if self._audit is not None:
            audit_policy(layout).write_text(json.dumps(self._audit))
            layout.logs.mkdir()
        repositories = layout.state / "repositories"
        write_repositories(repositories)
        ensure_network(layout)
        temporal, programs = self._measured()
        with ThreadPoolExecutor(4) as pool:
            cluster = pool.submit(self._start_cluster)
            beside = [pool.submit(self._keep, daemon) for daemon in (temporal, self._mirror(repositories))]
            for started in (cluster, *beside):
                started.result()
            self.arm = ControlClient(Address.of_instance(layout.instance))
            self.arm.change_settings(**ARM_SETTINGS)
            list(pool.map(self._keep, programs))
        self.programs = tuple(program.name for program in programs)

    def stop(self) -> None:
        """Stops every process of the instance and deletes its state and network."""
        run_steps(down.steps_of(self.layout, purge=True), _Silent(), stop_commands=lambda: None)

    def start_again(self, *names: str) -> None:
        """Restarts daemons that were killed or stopped, in parallel, with their first configuration."""
        if "kube-apiserver" in names or "etcd" in names:
            start_control_plane(self.layout)
        known = [self._daemons[name] for name in names if name in self._daemons]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._keep, known))

    def pid(self, name: str) -> int:
        """Raises KeyError for a daemon that does not run."""
        return daemons.running(self.layout)[name]

    def set_pods(self, rules: PodRules) -> None:
        """Replaces the rules of the simulated pods."""
        set_rules(self._pods_url, rules)

    @property
    def _pods_url(self) -> str:
        return f"http://{self.layout.address}:{SERVE_PORT}"

    def _measured(self) -> tuple[Daemon, list[Daemon]]:
        """Returns Temporal with the search attributes of our processes, and these."""
        temporal = temporal_daemon(self.layout)
        if not self._search_attributes:
            argv = temporal.argv
            own = {place + step for place, word in enumerate(argv) if word == "--search-attribute" for step in (0, 1)}
            temporal = replace(temporal, argv=tuple(word for place, word in enumerate(argv) if place not in own))
        if self._checkout is None:
            return temporal, [self._program(program) for program in modelyard.PROGRAMS]
        programs = programs_of(self._checkout, self.layout)
        for identity in programs.identities:
            mint_kubeconfig(self.layout, identity)
        unknown = [text for text in programs.search_attributes if text not in temporal.argv]
        more = [word for text in unknown for word in ("--search-attribute", text)]
        return replace(temporal, argv=(*temporal.argv, *more)), list(programs.daemons)

    def _start_cluster(self) -> None:
        layout, logs = self.layout, self.layout.logs
        deploy = self._checkout.root / "deploy" if self._checkout else DEPLOY
        start_control_plane(layout)
        # Workspaces here are also what neither the webhook nor the rules would let in: KAITO's own CRD has none.
        ensure_crds_without_rules(layout.admin_kubeconfig, logs / "crds.log", _quiet, deploy)
        ensure_roles(layout.admin_kubeconfig, logs / "roles.log", _quiet, deploy)
        ensure_gpu_plugin(layout, "simulated")  # no kubelet pulls it
        self._keep(arm_daemon(layout, layout.admin_kubeconfig))
        self._keep(self._kubelet())

    def _keep(self, daemon: Daemon) -> None:
        daemon = replace(daemon, env={"PYTHONPATH": str(ROOT), **daemon.env, **self._environment})
        self._daemons[daemon.name] = daemon
        daemons.start(self.layout, daemon)

    def _mirror(self, repositories: Path) -> Daemon:
        daemon = mirror_daemon(self.layout)
        return replace(daemon, argv=(*daemon.argv, "--root", str(repositories)))

    def _kubelet(self) -> Daemon:
        argv = (sys.executable, "-m", "testing.pods.simulated_kubelet", "--instance", self.layout.instance)
        return Daemon(KUBELET, argv, once_answers(f"{self._pods_url}/health"), deadline_s=60.0)

    def _program(self, program: modelyard.Program) -> Daemon:
        return modelyard.program_daemon(self.layout, program, mint_kubeconfig(self.layout, program.identity))


@contextlib.contextmanager
def running(
    instance: str,
    environment: Mapping[str, str] | None = None,
    audit: Mapping[str, object] | None = None,
    checkout: Checkout | None = None,
    *,
    search_attributes: bool = True,
) -> Iterator[Stack]:
    """Runs a stack during the block; if the block fails, its logs are kept beside its state. Raises InUse."""
    stack = Stack(instance, environment, audit, checkout, search_attributes=search_attributes)
    with sole_use(stack.layout.state.with_name(f"{instance}.lock"), f"the stack {instance!r}"):
        try:
            stack.start()
            yield stack
        except BaseException:
            keep_logs(stack.layout)
            raise
        finally:
            stack.stop()


def keep_logs(layout: Layout) -> None:
    """Copies the logs beside the state, which is deleted when the stack is stopped."""
    kept = layout.state.with_name(f"{layout.instance}-failed-logs")
    shutil.rmtree(kept, ignore_errors=True)
    if layout.logs.exists():
        shutil.copytree(layout.logs, kept)


def _quiet(text: str) -> None:
    return None


class _Silent:
    """A progress display that shows nothing: failures are raised."""

    def started(self, step: Step) -> None: ...
    def reported(self, step: Step, text: str) -> None: ...
    def finished(self, step: Step, seconds: float) -> None: ...
    def failed(self, step: Step, seconds: float, error: BaseException) -> None: ...
    def stopping(self, running: Sequence[Step]) -> None: ...
    def stopped(self, step: Step) -> None: ...
