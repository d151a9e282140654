"""Describes the adapter in its image: annotations for programs, a model card for people. Pure functions that add no
timestamps, so that the same adapter gives the same image."""

from typing import Any, Final

from api.pods.publish import ANNOTATIONS, MODEL_NAME_ANNOTATION, PublishConfig
from api.pods.tune import TrainingSummary

CREATED: Final = "org.opencontainers.image.created"
TITLE: Final = "org.opencontainers.image.title"


def annotations_of(config: PublishConfig, summary: TrainingSummary | None) -> dict[str, str]:
    """Returns all annotations; those of the configuration take precedence."""
    found = {MODEL_NAME_ANNOTATION: config.model_name}
    if config.created:
        found[CREATED] = config.created
    if summary:
        found |= {f"{ANNOTATIONS}{name}": _text(value) for name, value in _facts(summary).items() if value is not None}
    return dict(sorted((found | config.annotations).items()))


def model_card(config: PublishConfig, summary: TrainingSummary | None) -> str:
    """Returns README.md in the format of the Hugging Face hub's model cards."""
    base = summary.base_model if summary else config.model_name
    head = ["---", f"base_model: {base}", "library_name: peft", "tags:", "- lora", "---", ""]
    title = [f"# Adapter for {base}", ""]
    if summary is None:
        return "\n".join([*head, *title, "Nothing is known of its training.", ""])
    rows = [
        f"| {name.replace('-', ' ')} | {_text(value)} |" for name, value in _facts(summary).items() if value is not None
    ]
    use = ["", "Serve it with vLLM (`--enable-lora --lora-modules NAME=FOLDER`) or load it with peft.", ""]
    return "\n".join([*head, *title, "| | |", "|---|---|", *rows, *use])


def _facts(summary: TrainingSummary) -> dict[str, Any]:
    return {
        "base-model": summary.base_model,
        "base-revision": summary.base_revision,
        "method": summary.method,
        "rank": summary.rank,
        "target-modules": ",".join(summary.target_modules),
        "data-digest": f"sha256:{summary.data_digest}",
        "config-digest": f"sha256:{summary.config_digest}",
        "rows": summary.rows.trained,
        "tokens": summary.rows.tokens,
        "steps": summary.steps,
        "epochs": summary.epochs,
        "seed": summary.seed,
        "loss": summary.loss,
        "eval-loss": summary.eval_loss,
        "eval-loss-base": summary.eval_loss_base,
    }


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
