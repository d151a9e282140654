"""The webhook's metrics: decisions by operation and verdict, problems by rule, seconds per decision, certificates."""

from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

UNREADABLE: Final = "unreadable"
BROKEN: Final = "broken"

DECISIONS: Final = Counter(
    "modelyard_admission_decisions", "Reviews answered (verdict: allowed, refused, unreadable, broken)",
    ["operation", "verdict"],
)  # fmt: skip
PROBLEMS: Final = Counter("modelyard_admission_problems", "Problems that Workspaces were refused for", ["rule"])
SECONDS: Final = Histogram(
    "modelyard_admission_seconds",
    "Seconds from a review's last byte to its answer",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
)
EXPIRY: Final = Gauge("modelyard_admission_certificate_expiry_seconds", "When the serving certificate ends, Unix time")
RENEWALS: Final = Counter("modelyard_admission_certificate_renewals", "Certificates made by this process", ["kind"])
REGISTERED: Final = Gauge("modelyard_admission_registered", "1 while the API server's configuration trusts our CA")


def count(operation: str, verdict: str, rules: Sequence[str]) -> None:
    """Counts one decision. Rule names come from a fixed table, which bounds the number of time series."""
    DECISIONS.labels(operation, verdict).inc()
    for rule in rules:
        PROBLEMS.labels(rule).inc()
