"""Rules of simulated pods: after how many seconds they are ready or gone, how Jobs' pods end, what they respond.

Data that the simulated kubelet is given and that can be replaced at any time, and the client that replaces it.
"""

from fnmatch import fnmatchcase
from typing import Final

import httpx
from pydantic import BaseModel, Field, JsonValue

CONTROL_PATH: Final = "/_control/rules"
CONTROL_S: Final = 10.0


class PodRule(BaseModel):
    """Pods of the Workspaces whose name matches, if what they are given does; the first matching rule applies.

    With a `failure_message` the server ends with it again and again instead of becoming ready, with `unpulled` its
    image is never there; both until other rules are set.
    """

    workspace: str = "*"
    given: str = Field(default="*", description="Matches the pod's images and the data of its ConfigMap, as one text.")
    ready_seconds: float = Field(default=0.3, ge=0)
    gone_seconds: float = Field(default=0.2, ge=0)
    failure_message: str = ""
    restart_seconds: float = Field(default=0.2, ge=0)
    unpulled: str = Field(default="", description="What the registry says of the image.")

    @property
    def fails(self) -> bool:
        return bool(self.failure_message or self.unpulled)


class JobRule(BaseModel):
    """Pods of Jobs of the Workspaces and components (fetch, train, publish) that match; the first match applies.

    A Job's first `failures` runs fail, whether they are of one pod (restartPolicy OnFailure) or of several (Never).
    """

    workspace: str = "*"
    component: str = "*"
    seconds: float = Field(default=0.3, ge=0)
    message: str = Field(default="", description="The termination message of the run that succeeds.")
    failures: int = Field(default=0, ge=0)
    exit_code: int = Field(default=1, ge=1, le=255)
    failure_message: str = ""
    restart_seconds: float = Field(default=0.2, ge=0)
    progress: dict[str, JsonValue] = Field(default_factory=dict, description="What /healthz says while it runs.")


class AnswerRule(BaseModel):
    """Completions of the models whose name matches; the first matching rule applies."""

    model: str = "*"
    seconds: float = Field(default=0.0, ge=0)
    status: int = 200


class PodRules(BaseModel):
    """All rules; without a matching rule the defaults apply."""

    pods: list[PodRule] = Field(default_factory=list)
    jobs: list[JobRule] = Field(default_factory=list)
    answers: list[AnswerRule] = Field(default_factory=list)

    def of_pod(self, workspace: str, given: str = "") -> PodRule:
        matching = (
            rule for rule in self.pods if fnmatchcase(workspace, rule.workspace) and fnmatchcase(given, rule.given)
        )
        return next(matching, PodRule())

    def of_job(self, workspace: str, component: str) -> JobRule:
        matching = (
            rule
            for rule in self.jobs
            if fnmatchcase(workspace, rule.workspace) and fnmatchcase(component, rule.component)
        )
        return next(matching, JobRule())

    def of_answer(self, model: str) -> AnswerRule:
        return next((rule for rule in self.answers if fnmatchcase(model, rule.model)), AnswerRule())


def set_rules(url: str, rules: PodRules) -> None:
    """Replaces the rules of the simulated kubelet at `url`. Raises httpx.HTTPError."""
    with httpx.Client(trust_env=False, timeout=CONTROL_S) as client:
        client.put(url + CONTROL_PATH, json=rules.model_dump()).raise_for_status()
