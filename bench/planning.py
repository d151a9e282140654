"""Measures planning: every preset on every machine type of the table, one after the other, offline.

`python -m bench.planning` needs no stack. Refused plans count too: they search for machine types that would fit, which
is the longest path through the estimator.
"""

import itertools
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from bench.results import Result, percentile
from presets.machines.skus import Sku, sku_table
from presets.models.catalog import Model, all_models
from presets.plan.context import PlanContext
from presets.plan.judge import plan_document
from testing.stack import Stack
from testing.workspaces import Workspaces

GOAL_P50_MS: Final = 10.0
GOAL_P99_MS: Final = 100.0
HOW: Final = "plan_document, all models x all GPU sizes, one process"


async def measure(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
    """Yields the figures; uses neither the stack nor its Workspaces."""
    for result in results():
        yield result


def results() -> list[Result]:
    """Returns p50 and p99 in milliseconds, and how many of the plans are feasible."""
    context = PlanContext(config_maps={})
    took, good = [], 0
    pairs = list(itertools.product(all_models(), (sku for sku in sku_table().skus if sku.gpus)))
    plan_document(_workspace(*pairs[0]), context)  # the tables are read once, by the first plan
    for model, sku in pairs:
        document = _workspace(model, sku)
        began = time.perf_counter()
        plan = plan_document(document, context)
        took.append((time.perf_counter() - began) * 1000)
        good += not plan.errors
    return [
        Result("plan, p50", percentile(took, 0.5), "ms", HOW, GOAL_P50_MS, len(took)),
        Result("plan, p99", percentile(took, 0.99), "ms", HOW, GOAL_P99_MS, len(took)),
        Result("plan, pairs that one node can serve", good / len(took), "share", HOW, n=len(took)),
    ]


def _workspace(model: Model, sku: Sku) -> dict[str, Any]:
    options = {"presetOptions": {"modelAccessSecret": "token"}} if model.gated else {}
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "bench", "namespace": "default"},
        "resource": {"instanceType": sku.name, "labelSelector": {"matchLabels": {"apps": "bench"}}},
        "inference": {"preset": {"name": model.repo} | options},
    }


if __name__ == "__main__":
    for figure in results():
        print(figure.line())
