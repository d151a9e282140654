"""What a plan does not know is left out of its text, or said in words."""

from typing import Any

import pytest

from cli.plan_text import text_of
from presets.plan.context import PlanContext
from presets.plan.document import PlanReport
from presets.plan.judge import plan_document


def a_report(**section: Any) -> PlanReport:
    workspace = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default"},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "w"}}},
    }
    return plan_document(workspace | section, PlanContext(region="eastus", provider="aks"))


SERVING = a_report(inference={"preset": {"name": "phi-4-mini-instruct"}})
TUNING = a_report(
    tuning={
        "preset": {"name": "phi-4-mini-instruct"},
        "method": "lora",
        "input": {"urls": ["https://data.example/a.jsonl"]},
        "output": {"image": "registry.example/a:1", "imagePushSecret": "push"},
    }
)
ABSENT = [name for name, field in PlanReport.model_fields.items() if field.default is None]


@pytest.mark.parametrize("report", [SERVING, TUNING], ids=["serving", "tuning"])
@pytest.mark.parametrize("name", [*ABSENT, "all of them"])
def test_a_value_that_is_missing_is_not_called_none(report: PlanReport, name: str) -> None:
    assert not report.errors and len(ABSENT) > 10
    gone = dict.fromkeys(ABSENT if name == "all of them" else [name])
    assert "None" not in text_of(report.model_copy(update=gone))
