"""What has served last, and why something newer does not: the part of the state that a failed edit is answered by.

`passes.py` records both, `restoring.py` puts back what served, and the activities keep what its pods were made of.
"""

from pydantic import BaseModel

from activities.contract.models import PinnedModel
from activities.contract.plan import Plan
from activities.contract.tuning import PublishedAdapter
from presets.plan.document import PlanReport


class Good(BaseModel):
    """What has served, or been published, last: the plan that a failed edit is answered with. `published`: the adapter
    of a training."""

    plan: Plan
    report: PlanReport | None = None
    pinned: PinnedModel | None = None
    published: PublishedAdapter | None = None


class FailedEdit(BaseModel):
    """Why the newest generation is not what serves. `digest`: that of the plan that failed, "" if there was none;
    `refused`: it failed before it had changed anything, so that trying it again costs nothing."""

    generation: int
    digest: str = ""
    reason: str
    message: str
    refused: bool = False

    @property
    def verdict(self) -> str:
        """`generation 3 failed: <cause>`, `generation 3 is not applied: <cause>` where nothing was changed."""
        return f"generation {self.generation} {'is not applied' if self.refused else 'failed'}: {self.message}"


def name_of(good: Good, failed: FailedEdit) -> str:
    """`generation 2`; where its ConfigMap or the images have changed since, `generation 2 as it was before`."""
    changed = good.plan.generation == failed.generation
    return f"generation {good.plan.generation}" + (" as it was before" if changed else "")


def to_keep(good: Good | None, kept: str, digest: str = "") -> tuple[str, str]:
    """The digest of what served last and is not kept yet, and of what is kept instead; ("", "") when there is nothing
    to keep. `digest`: what is applied next, which does not have to be kept for itself."""
    if good is None or good.plan.kind == "tuning" or good.plan.digest in (kept, digest):
        return "", ""
    return good.plan.digest, kept
