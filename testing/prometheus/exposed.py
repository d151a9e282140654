"""Which series there are, by name, with their labels: those of our own processes and of the programs in pods, as their
code declares them, and those of Temporal's SDK and vLLM, as `others.yaml` has them.

Tests with a real server hold `others.yaml`; what Prometheus adds to a series is said here, too.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

import yaml
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from api.pods.tune import TuneStatus
from runtime.data.progress import DataProgress
from runtime.pod.metrics import Progress
from runtime.publish.progress import PublishProgress
from runtime.tune.progress import Progress as TuneProgress

Series = Mapping[str, frozenset[str]]
"""Names with their labels."""

OF_TARGETS: Final = frozenset({"job", "namespace", "pod", "instance", "container"})
"""What Prometheus adds to every series; the SDK's own `namespace` becomes `exported_namespace`."""
OF_MODELS: Final = OF_TARGETS | {"kaito_sh_workspace", "modelyard_dev_component"}
"""To those of pods of Workspaces."""
OTHERS: Final = Path(__file__).with_name("others.yaml")
MODULES: Final = (
    "activities.clients.azure_transport",
    "activities.clients.api_server.requests",
    "activities.errors.interceptor",
    "activities.status.writer",
    "admin.webhook.metrics",
    "process.encryption.codec",
    "watcher.__main__",
)
"""Where our processes declare metrics."""
OF_PROCESSES: Final = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds")
"""Of Prometheus' client itself, in every process."""


def of_our_processes() -> Series:
    """What MODULES declare."""
    found: dict[str, frozenset[str]] = {}
    for name in MODULES:
        found |= _declared(importlib.import_module(name))
    return found


def of_our_programs(folder: Path) -> Series:
    """What the programs in pods report, at most. `folder` takes the status of a training."""
    training = TuneProgress(folder)
    known = {name: 1 for name, field in TuneStatus.model_fields.items() if field.default is None}
    training.status = TuneStatus.model_validate({**known, "phase": "training"})
    programs = (Progress(), DataProgress(), PublishProgress(), training)
    return of_text("".join(program.metrics() for program in programs))


def of_others(whose: str) -> Series:
    """Of `temporal` or `vllm`, those that are written down."""
    written: dict[str, list[str]] = yaml.safe_load(OTHERS.read_text())[whose]
    return {name: frozenset(labels) for name, labels in written.items()}


def of_text(text: str) -> Series:
    """What a process says at /metrics."""
    found: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, frozenset()) | set(sample.labels)
    return found


def _declared(module: ModuleType) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for metric in vars(module).values():
        if not isinstance(metric, Counter | Gauge | Histogram):
            continue
        [described] = metric.describe()
        labels = frozenset(metric._labelnames)  # the client has no other way to ask
        if isinstance(metric, Histogram):
            found |= {f"{described.name}_{part}": labels for part in ("sum", "count")}
            found[f"{described.name}_bucket"] = labels | {"le"}
        else:
            found[described.name + ("_total" if isinstance(metric, Counter) else "")] = labels
    return found
