"""The dashboard of the control plane: processes, queues, Temporal, the API server, Azure, admission."""

from typing import Final

from deploy.chart_values.dashboards.grafana import Choice, Dashboard, Panel

OURS: Final = 'job=~"modelyard-.+",namespace=~"$namespace"'


def _rate(metric: str, by: str, more: str = "") -> str:
    """Per second, summed up by these labels."""
    return f"sum by ({by}) (rate({metric}{{{OURS}{more}}}[$__rate_interval]))"


def _quantile(of: float, metric: str, by: str = "") -> str:
    """Of a histogram."""
    rates = _rate(f"{metric}_bucket", f"{by}, le" if by else "le")
    return f"histogram_quantile({of}, {rates})"


_PROCESSES = (
    Panel("Pods that answer", "As Prometheus reaches them, by process.", {"{{job}}": f"sum by (job) (up{{{OURS}}})"}),
    Panel("Memory", "Resident memory of each pod.",
          {"{{pod}}": f"process_resident_memory_bytes{{{OURS}}}"}, "bytes"),
    Panel("CPU", "Processors in use, by pod.", {"{{pod}}": _rate("process_cpu_seconds_total", "pod")}),
    Panel("Starts", "How often a process was started again within an hour.",
          {"{{pod}}": f"changes(process_start_time_seconds{{{OURS}}}[1h])"}),
    Panel("Watcher that leads", "One at any time.", {"{{pod}}": f"modelyard_watcher_leading{{{OURS}}}"}),
    Panel("Events of the watches", "What the watcher hears of, by kind.",
          {"{{kind}}": _rate("modelyard_watcher_events_total", "kind")}, "ops"),
)  # fmt: skip

_QUEUES = (
    Panel("Activities that wait for a worker", "95 of 100 are begun within this time, by queue.",
          {"{{task_queue}}":
           _quantile(0.95, "temporal_activity_schedule_to_start_latency_seconds", "task_queue")}, "s"),
    Panel("Workflows that wait for a worker", "95 of 100 workflow tasks are begun within this time.",
          {"all": _quantile(0.95, "temporal_workflow_task_schedule_to_start_latency_seconds")}, "s"),
    Panel("Slots in use", "Tasks under way, by queue and kind.",
          {"{{task_queue}} {{worker_type}}":
           f"sum by (task_queue, worker_type) (temporal_worker_task_slots_used{{{OURS}}})"}),
    Panel("Free slots", "The least of any pod, by queue and kind. None for long: everything else waits.",
          {"{{task_queue}} {{worker_type}}":
           f"min by (task_queue, worker_type) (temporal_worker_task_slots_available{{{OURS}}})"}),
    Panel("Activities that fail", "Attempts by reason: docs/reasons.md says what each means. Waits are among them.",
          {"{{reason}}": _rate("modelyard_activity_failures_total", "reason")}, "ops"),
    Panel("Workflow tasks that fail", "By cause. Any that lasts is a bug, or a key of payloads that is missing.",
          {"{{failure_reason}}": _rate("temporal_workflow_task_execution_failed_total", "failure_reason")}, "ops"),
    Panel("Workflows at rest in memory", "Cached by workers; any other is replayed at its next event.",
          {"{{pod}}": f"sum by (pod) (temporal_sticky_cache_size{{{OURS}}})"}),
    Panel("Statuses", "Handed to the writer, and what became of them.",
          {"{{outcome}}": _rate("modelyard_status_writes_total", "outcome")}, "ops"),
    Panel("Payloads by key", "Decrypted, where encryption is on: an old key can go when nothing is read with it.",
          {"{{key}}": _rate("modelyard_payloads_decrypted_total", "key")}, "ops"),
)  # fmt: skip

_TEMPORAL = (
    Panel("Requests to Temporal", "Without long polls, by operation.",
          {"{{operation}}": _rate("temporal_request_total", "operation")}, "reqps"),
    Panel("Latency of Temporal", "99 of 100 requests are answered within this time, by operation.",
          {"{{operation}}": _quantile(0.99, "temporal_request_latency_seconds", "operation")}, "s"),
    Panel("Requests that Temporal fails", "By operation and status; NOT_FOUND is usual where work ended meanwhile.",
          {"{{operation}} {{status_code}}": _rate("temporal_request_failure_total", "operation, status_code"),
           "{{operation}} {{status_code}} (poll)":
           _rate("temporal_long_request_failure_total", "operation, status_code")}, "reqps"),
)  # fmt: skip

_SERVERS = (
    Panel("Requests to the API server", "By method and resource.",
          {"{{method}} {{resource}}": _rate("modelyard_kubernetes_requests_total", "method, resource")}, "reqps"),
    Panel("Requests to Azure", "Repetitions included, by method and class of the answer.",
          {"{{method}} {{status}}": _rate("modelyard_azure_requests_total", "method, status")}, "reqps"),
    Panel("Repetitions to Azure", "Sent again by the SDK, by method.",
          {"{{method}}": _rate("modelyard_azure_retries_total", "method")}, "reqps"),
)  # fmt: skip

_ADMISSION = (
    Panel("Decisions", "Reviews answered, by operation and verdict.",
          {"{{operation}} {{verdict}}": _rate("modelyard_admission_decisions_total", "operation, verdict")}, "ops"),
    Panel("Refusals", "Problems that Workspaces were refused for, by rule (docs/admission.md).",
          {"{{rule}}": _rate("modelyard_admission_problems_total", "rule")}, "ops"),
    Panel("Time of a decision", "99 of 100 are made within this time.",
          {"99 of 100": _quantile(0.99, "modelyard_admission_seconds"),
           "half": _quantile(0.5, "modelyard_admission_seconds")}, "s"),
    Panel("Trusted by the API server", "1 for each pod whose authority is registered.",
          {"{{pod}}": f"modelyard_admission_registered{{{OURS}}}"}),
    Panel("Certificates end in", "Those that pods make themselves are renewed long before.",
          {"{{pod}}": f"(modelyard_admission_certificate_expiry_seconds{{{OURS}}} > 0) - time()"}, "s"),
    Panel("Certificates made", "By the webhook's pods, within a day.",
          {"{{kind}}": f"sum by (kind) (increase(modelyard_admission_certificate_renewals_total{{{OURS}}}[1d]))"}),
)  # fmt: skip

CONTROL_PLANE: Final = Dashboard(
    uid="modelyard-control-plane",
    title="Modelyard / control plane",
    choices=[Choice("namespace", "namespace", "modelyard_watcher_leading")],
    rows={
        "Processes": _PROCESSES,
        "Work": _QUEUES,
        "Temporal": _TEMPORAL,
        "API server and Azure": _SERVERS,
        "Admission": _ADMISSION,
    },
)
