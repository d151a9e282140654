"""Prepares what is needed once per user and machine, before anything runs: programs, packages, images, models.

The steps are shared by `up` and by `modelyard local prepare`, which only prepares a machine (before tests). They take
minutes the first time and nothing afterwards.
"""

import sys
from dataclasses import replace
from typing import TextIO

from deploy.local.host.commands import stop_commands
from deploy.local.images.contents import DEVICE_PLUGIN, IMAGES
from deploy.local.images.images import build_image
from deploy.local.images.runtime_env import ensure_runtime_venv
from deploy.local.kubernetes.binaries import ensure_binaries
from deploy.local.kubernetes.helm import ensure_helm
from deploy.local.layout import Layout, Report
from deploy.local.mirror.repositories.catalog import ensure_repos, missing_repos
from deploy.local.stack.checks import check_machine
from deploy.local.stack.packages import APT_DEADLINE_S, RUN_MODELS, Package, ensure_packages, packages_needed
from deploy.local.stack.progress import progress_for
from deploy.local.stack.runner import Step, run_steps


def prepare(instance: str, stream: TextIO = sys.stdout) -> dict[str, float]:
    """Fills the caches and starts nothing; returns the seconds of each step. Raises StepFailed, after showing it."""
    steps = preparing_steps(Layout.of(instance))
    with progress_for(steps, stream) as display:
        return run_steps(steps, display, stop_commands=stop_commands)


def preparing_steps(layout: Layout) -> list[Step]:
    """Returns all steps that can run beforehand, including the runtime environment, which tests need."""

    def build_images(report: Report) -> None:
        for image in (*IMAGES, DEVICE_PLUGIN):
            build_image(layout, image, report)

    environment = runtime_environment(layout)
    return [
        Step("machine", lambda report: check_machine(layout, {}, root=True)),
        system_packages(layout, RUN_MODELS),
        kubernetes_programs(layout),
        helm(layout),
        Step("images", build_images, ("system packages",), layout.logs / "images.log"),
        environment,
        replace(models(layout), needs=(environment.name,)),
    ]


def system_packages(layout: Layout, more: tuple[Package, ...] = ()) -> Step:
    log = layout.logs / "packages.log"
    return Step(
        "system packages",
        lambda report: ensure_packages([*packages_needed(layout), *more], log, report),
        ("machine",),
        log,
        patience_s=APT_DEADLINE_S,
    )


def kubernetes_programs(layout: Layout) -> Step:
    def ensure(report: Report) -> None:
        ensure_binaries(layout, report)

    return Step("Kubernetes programs", ensure, ("system packages",))


def helm(layout: Layout) -> Step:
    """Tests of the chart run it."""
    log = layout.logs / "helm.log"

    def ensure(report: Report) -> None:
        ensure_helm(layout.cache, log, report)

    return Step("Helm", ensure, ("machine",), log)


def models_for_stack(layout: Layout) -> list[Step]:
    """Models are built by programs of the runtime environment, which is large and used for nothing else in a stack."""
    if not missing_repos(layout.cache):
        return [models(layout)]
    environment = runtime_environment(layout)
    return [environment, replace(models(layout), needs=(environment.name,))]


def models(layout: Layout) -> Step:
    return Step("models and data", lambda report: ensure_repos(layout.cache, report), ("machine",))


def runtime_environment(layout: Layout) -> Step:
    log = layout.logs / "runtime-environment.log"

    def ensure(report: Report) -> None:
        ensure_runtime_venv(layout.cache, log, report)

    return Step("runtime environment", ensure, ("system packages",), log)
