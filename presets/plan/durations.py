"""How long each step of a Workspace is expected to take, from published figures. Minutes; every figure has its source.

Figures of Azure and of Hugging Face are KAITO's, measured on AKS; what we measured ourselves, on machines without GPUs,
is in docs/performance.md.
"""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

GIB_IN_MB: Final = (1 << 30) / 1e6

SLOW_DOWNLOAD_MB_S: Final = 60.0
"""KAITO's start-up time-out allows for this rate from Hugging Face."""
FAST_DOWNLOAD_MB_S: Final = 110.0
"""61 GiB in 10 to 15 minutes, loading included (KAITO's ModelMirror proposal)."""
SLOW_LOAD_GIB_S: Final = 0.48
"""Llama 3.1 8B and 3.3 70B from an OS disk into GPUs: 30.85 s and 269.35 s (KAITO's NVMe page)."""
FAST_LOAD_GIB_S: Final = 2.7
"""The same from striped NVMe: 5.59 s and 47.58 s."""


class StepTime(BaseModel):
    """One step: `least` to `most` minutes. Steps with the same `beside` run side by side."""

    model_config = ConfigDict(frozen=True)

    step: str
    least: float
    most: float
    source: str
    beside: str = ""
    paid: bool = True


def step_times(weights_gib: float) -> tuple[StepTime, ...]:
    """The steps of a preset with so many GiB of weights, in order."""
    megabytes = weights_gib * GIB_IN_MB
    return (
        StepTime(step="Preflight", least=0.02, most=0.5, source="ours: requests to Azure and to the hub", paid=False),
        StepTime(step="ProvisionNodes", least=3, most=8, source="GPU nodes of AKS (KAITO, ModelMirror proposal)"),
        StepTime(step="PullImages", least=1, most=2, source="the same", beside="download"),
        StepTime(
            step="DownloadWeights",
            least=_minutes(megabytes / FAST_DOWNLOAD_MB_S),
            most=_minutes(megabytes / SLOW_DOWNLOAD_MB_S),
            source="Hugging Face at 110 to 60 MB/s (KAITO, ModelMirror proposal and start-up time-out)",
            beside="download",
        ),
        StepTime(
            step="LoadWeights",
            least=_minutes(weights_gib / FAST_LOAD_GIB_S),
            most=_minutes(weights_gib / SLOW_LOAD_GIB_S),
            source="2.7 GiB/s from NVMe to 0.48 GiB/s from an OS disk (KAITO, NVMe page)",
        ),
        StepTime(
            step="StartServer", least=0.75, most=1.5,
            source="engine 5 s, compilation 15 s, CUDA graphs 24 s (KAITO, auto-upgrade proposal)",
        ),
        StepTime(step="Verify", least=0.02, most=0.5, source="ours: one completion from every pod"),
    )  # fmt: skip


def training_steps(weights_gib: float, data_gib: int, *, publishes: bool) -> tuple[StepTime, ...]:
    """The steps of a training on a model with so many GiB of weights. `Train` covers the time to its first step:
    the rest depends on the data, which has not been read yet."""
    megabytes, data = weights_gib * GIB_IN_MB, data_gib * GIB_IN_MB
    fetched = f"up to {data_gib} GiB of data at 60 MB/s; a small file takes seconds"
    start = "until the first step: images, weights from Hugging Face at 110 to 60 MB/s, loading (KAITO's figures)"
    push = "an allowance: an adapter has 10 to 500 MB, and the speed is the registry's"
    steps = (
        StepTime(step="Preflight", least=0.02, most=0.5, source="ours: requests to Azure and to the hub", paid=False),
        StepTime(step="FetchData", least=0.1, most=_minutes(data / SLOW_DOWNLOAD_MB_S), source=fetched, paid=False),
        StepTime(step="ProvisionNodes", least=3, most=8, source="GPU nodes of AKS (KAITO, ModelMirror proposal)"),
        StepTime(step="AwaitNodes", least=0, most=1, source="in the time above, but for the GPUs' device plugin"),
        StepTime(
            step="Train",
            least=round(1 + _minutes(megabytes / FAST_DOWNLOAD_MB_S) + _minutes(weights_gib / FAST_LOAD_GIB_S), 2),
            most=round(2 + _minutes(megabytes / SLOW_DOWNLOAD_MB_S) + _minutes(weights_gib / SLOW_LOAD_GIB_S), 2),
            source=start,
        ),
        StepTime(step="ReleaseNodes", least=1, most=5, source="an allowance for Azure to delete a node pool"),
        StepTime(step="Publish", least=0.1, most=2, source=push, paid=False),
        StepTime(step="Verify", least=0.02, most=0.5, source="ours: the image is read back", paid=False),
    )
    return steps if publishes else tuple(step for step in steps if step.step != "Publish")


def until_first_step(steps: Sequence[StepTime], *, paid_only: bool = False) -> tuple[float, float]:
    """Least and most minutes until a training computes."""
    names = [step.step for step in steps]
    return until_ready(steps[: names.index("Train") + 1], paid_only=paid_only)


def until_ready(steps: Sequence[StepTime], *, paid_only: bool = False) -> tuple[float, float]:
    """Least and most minutes from the first step to the last; of steps side by side only the longest counts."""
    least, most, beside = 0.0, 0.0, dict[str, tuple[float, float]]()
    for step in steps:
        if paid_only and not step.paid:
            continue
        if step.beside:
            slowest = beside.get(step.beside, (0.0, 0.0))
            beside[step.beside] = (max(slowest[0], step.least), max(slowest[1], step.most))
        else:
            least, most = least + step.least, most + step.most
    return least + sum(low for low, _ in beside.values()), most + sum(high for _, high in beside.values())


def _minutes(seconds: float) -> float:
    return round(seconds / 60, 2)
