"""The dashboard of models: what vLLM reports of serving, and the runtime's programs of fetches and trainings.

Which of vLLM's metrics there are is its own affair: tests compare the names with those of a running server.
"""

from typing import Final

from deploy.chart_values.dashboards.grafana import Choice, Dashboard, Panel

CHOSEN: Final = 'namespace=~"$namespace",kaito_sh_workspace=~"$workspace"'
WHOSE: Final = "namespace, kaito_sh_workspace"
NAME: Final = "{{namespace}}/{{kaito_sh_workspace}}"


def _now(metric: str) -> str:
    """Summed up over the pods of a Workspace."""
    return f"sum by ({WHOSE}) ({metric}{{{CHOSEN}}})"


def _most(metric: str) -> str:
    """The largest of a Workspace's pods."""
    return f"max by ({WHOSE}) ({metric}{{{CHOSEN}}})"


def _rate(metric: str, more: str = "") -> str:
    """Per second."""
    return f"sum by ({WHOSE}{more}) (rate({metric}{{{CHOSEN}}}[$__rate_interval]))"


def _quantiles(metric: str) -> dict[str, str]:
    rates = _rate(f"{metric}_bucket", ", le")
    return {f"{NAME} {name}": f"histogram_quantile({of}, {rates})" for name, of in (("half", 0.5), ("95 of 100", 0.95))}


_SERVING = (
    Panel("Requests under way", "Of which the model makes tokens.", {NAME: _now("vllm:num_requests_running")}),
    Panel("Requests that wait", "More for long: too little KV cache, or too few pods.",
          {NAME: _now("vllm:num_requests_waiting")}),
    Panel("Requests that ended", "By how: `stop` and `length` are answers, `abort` left, `error` failed.",
          {f"{NAME} {{{{finished_reason}}}}": _rate("vllm:request_success_total", ", finished_reason")}, "reqps"),
    Panel("Time to first token", "From a request's arrival.", _quantiles("vllm:time_to_first_token_seconds"), "s"),
    Panel("Time between tokens", "Of one answer.", _quantiles("vllm:inter_token_latency_seconds"), "s"),
    Panel("Time of a request", "From arrival to the last token.", _quantiles("vllm:e2e_request_latency_seconds"), "s"),
    Panel("Tokens made", "Per second.", {NAME: _rate("vllm:generation_tokens_total")}),
    Panel("Tokens read", "Per second, of prompts.", {NAME: _rate("vllm:prompt_tokens_total")}),
    Panel("KV cache in use", "The fullest pod. At 100 % requests wait or are set back.",
          {NAME: _most("vllm:kv_cache_usage_perc")}, "percentunit"),
    Panel("Requests set back", "Their cache was given to others; they are computed anew.",
          {NAME: _rate("vllm:num_preemptions_total")}, "ops"),
    Panel("Prompts found in the cache", "The share of their tokens.",
          {NAME: f"{_rate('vllm:prefix_cache_hits_total')} / {_rate('vllm:prefix_cache_queries_total')}"},
          "percentunit"),
)  # fmt: skip

_FETCHING = (
    Panel("Weights on the disk", "The share of what is expected; of the slowest node.",
          {NAME: f"min by ({WHOSE}) (modelyard_fetch_bytes{{{CHOSEN}}} / modelyard_fetch_bytes_expected{{{CHOSEN}}})"},
          "percentunit"),
    Panel("Speed of fetches", "All nodes together.",
          {NAME: _now("kaito_model_download_speed_bytes_per_second")}, "Bps"),
    Panel("Attempts of fetches", "Of the node that had most.", {NAME: _most("modelyard_fetch_attempts")}),
)  # fmt: skip

_TRAINING = (
    Panel("Steps", "The share of all.",
          {NAME: f"{_most('modelyard_tune_step')} / ({_most('modelyard_tune_steps_expected')} > 0)"}, "percentunit"),
    Panel("Loss", "Of the last step, and of rows held out.",
          {f"{NAME} training": _most("modelyard_tune_loss"), f"{NAME} held out": _most("modelyard_tune_eval_loss")}),
    Panel("Time to go", "At the present speed.", {NAME: _most("modelyard_tune_remaining_seconds")}, "s"),
    Panel("Tokens trained", "Per second.", {NAME: _now("modelyard_tune_tokens_per_second")}),
    Panel("Attempts", "Starts of the trainer; it goes on from its last checkpoint.",
          {NAME: _most("modelyard_tune_attempts")}),
    Panel("Memory", "The most that training has used.", {NAME: _most("modelyard_tune_peak_memory_bytes")}, "bytes"),
    Panel("Training data", "Received.", {NAME: _most("modelyard_data_bytes")}, "bytes"),
    Panel("Adapter pushed", "The share of its bytes.",
          {NAME: f"{_most('modelyard_publish_bytes')} / ({_most('modelyard_publish_bytes_expected')} > 0)"},
          "percentunit"),
)  # fmt: skip

MODELS: Final = Dashboard(
    uid="modelyard-models",
    title="Modelyard / models",
    choices=[
        Choice("namespace", "namespace", 'up{job="modelyard"}'),
        Choice("workspace", "kaito_sh_workspace", 'up{job="modelyard",namespace=~"$namespace"}'),
    ],
    rows={"Serving": _SERVING, "Fetching weights": _FETCHING, "Training": _TRAINING},
)
