"""How many requests our processes send: to the API server as their own metrics count them, to ARM as the stand-in does.

Not in the figures: the watcher's Lease, which it renews every two seconds however many Workspaces there are.
"""

from collections import Counter

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.local import product
from tests.harness.stack import Stack

METRIC = "modelyard_kubernetes_requests"
PROCESSES = ("watcher", "worker-cluster", "worker-cloud")


def api_server_requests(stack: Stack) -> Counter[str]:
    """Requests so far of all our processes, by method and resource."""
    counts: Counter[str] = Counter()
    for program in product.PROGRAMS:
        if program.name in PROCESSES:
            url = f"http://{product.address(stack.layout, program)}/metrics"
            counts += _counts(httpx.get(url, trust_env=False, timeout=20).raise_for_status().text)
    return counts


def arm_requests(stack: Stack) -> Counter[str]:
    """Calls so far, by method and route."""
    return Counter(stack.arm.calls())


def _counts(text: str) -> Counter[str]:
    ours = "\n".join(line for line in text.splitlines() if METRIC in line) + "\n"
    samples = [sample for family in text_string_to_metric_families(ours) for sample in family.samples]
    counted = [sample for sample in samples if sample.name.endswith("_total")]
    return Counter({f"{s.labels['method']} {s.labels['resource']}": int(s.value) for s in counted})
