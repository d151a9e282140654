"""What was done at the API server, in the terms of roles: from its audit log, and from rules.

`api_calls.py` counts requests; here each kind of request counts once, whoever's it was.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

POLICY: Final[dict[str, object]] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "rules": [{"level": "Metadata", "omitStages": ["RequestReceived"]}],
}
FORBIDDEN: Final = 403


class Right(NamedTuple):
    """A verb on a resource (`pods/proxy`) of an API group."""

    verb: str
    group: str
    resource: str


def rights_of(rules: Iterable[Mapping[str, Any]]) -> set[Right]:
    """Every right that these rules give."""
    return {
        Right(verb, group, resource)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def used(log: Path) -> tuple[dict[str, set[Right]], list[str]]:
    """Returns what each user did, and what was forbidden: `user verb resource`. Who acts as another user uses the
    right to do so, and the other's."""
    found: dict[str, set[Right]] = defaultdict(set)
    forbidden: list[str] = []
    for event in map(json.loads, log.read_text().splitlines()):
        if "objectRef" not in event:
            continue
        user, acted = event["user"]["username"], event.get("impersonatedUser", {}).get("username")
        reference = event["objectRef"]
        resource = "/".join(filter(None, (reference["resource"], reference.get("subresource"))))
        right = Right(event["verb"], reference.get("apiGroup", ""), resource)
        if event.get("responseStatus", {}).get("code") == FORBIDDEN:
            forbidden.append(f"{acted or user} {right.verb} {right.resource}")
            continue
        if acted:
            found[user].add(Right("impersonate", "", "users"))
        found[acted or user].add(right)
    return dict(found), forbidden
