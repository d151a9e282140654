"""What a Workspace has cost by now, from a status that was written some time ago. Pure.

The status is not written for every minute that passes: it holds the sum up to a moment and what each hour since adds.
`workflows/ledger.py` makes both.
"""

from datetime import datetime
from typing import Final

from api.resource.status import Cost

SECONDS_PER_HOUR: Final = 3600


def cost_at(cost: Cost, now: datetime) -> Cost:
    """The cost as it is at `now`, in the same terms; unchanged where nothing is held or the status says no time. Time
    for which the cluster was stopped since then is still in it, and leaves it with the next status."""
    seconds = max(0.0, (now - cost.as_of).total_seconds()) if cost.as_of else 0.0
    changes: dict[str, object] = {}
    if cost.node_seconds is not None and cost.nodes:
        changes["node_seconds"] = round(cost.node_seconds + cost.nodes * seconds)
    spent, per_hour = _number(cost.spent), _number(cost.per_hour)
    if per_hour is not None:
        changes["spent"] = f"{(spent or 0.0) + per_hour * seconds / SECONDS_PER_HOUR:.2f}"
    return cost.model_copy(update=changes | {"as_of": now}) if changes else cost


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
