"""How simulated pods behave: after how many seconds they are ready or gone, and how they answer completions.

Data that the simulated kubelet is given and may be given anew at any time, and the client that does so.
"""

from fnmatch import fnmatchcase
from typing import Final

import httpx
from pydantic import BaseModel, Field

CONTROL_PATH: Final = "/_control/rules"
CONTROL_S: Final = 10.0


class PodRule(BaseModel):
    """Pods of the Workspaces whose name matches; the first rule that matches counts."""

    workspace: str = "*"
    ready_seconds: float = Field(default=0.3, ge=0)
    gone_seconds: float = Field(default=0.2, ge=0)


class AnswerRule(BaseModel):
    """Completions of the models whose name matches; the first rule that matches counts."""

    model: str = "*"
    seconds: float = Field(default=0.0, ge=0)
    status: int = 200


class PodRules(BaseModel):
    """All rules; what no rule matches has the defaults."""

    pods: list[PodRule] = Field(default_factory=list)
    answers: list[AnswerRule] = Field(default_factory=list)

    def of_pod(self, workspace: str) -> PodRule:
        return next((rule for rule in self.pods if fnmatchcase(workspace, rule.workspace)), PodRule())

    def of_answer(self, model: str) -> AnswerRule:
        return next((rule for rule in self.answers if fnmatchcase(model, rule.model)), AnswerRule())


def set_rules(url: str, rules: PodRules) -> None:
    """Replaces the rules of the simulated kubelet at `url`. Raises httpx.HTTPError."""
    with httpx.Client(trust_env=False, timeout=CONTROL_S) as client:
        client.put(url + CONTROL_PATH, json=rules.model_dump()).raise_for_status()
