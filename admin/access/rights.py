"""Which right on Workspaces each request needs, in one table. Pure.

The rights are those of the cluster's RBAC on `workspaces.kaito.sh`: whoever may do something with kubectl may do what
it amounts to here. Whether somebody has a right is `kubernetes.py`'s to ask.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from api import labels, names

RESOURCE: Final = f"{labels.PLURAL}.{labels.GROUP}"
ONE: Final = "/workspaces/{namespace}/{name}"
NOTHING: Final = ""
"""For requests that look nothing up: it is enough to be known."""

VERBS: Final[Mapping[tuple[str, str], str]] = {
    ("GET", "/workspaces"): "list",
    ("GET", ONE): "get",
    ("GET", f"{ONE}/plan"): "get",
    ("POST", f"{ONE}/retry"): "update",
    ("POST", f"{ONE}/pause"): "update",
    ("POST", f"{ONE}/resume"): "update",
    ("PUT", f"{ONE}/deadline"): "update",
    # It ends the care for what is left, which a delete would have waited for.
    ("POST", f"{ONE}/force-cleanup"): "delete",
    ("POST", "/plan"): NOTHING,
}
"""By method and path of a route. What does not stand here is refused."""


class Right(NamedTuple):
    """A verb on one Workspace; without a name on all of a namespace; without a namespace on all of the cluster."""

    verb: str
    namespace: str = ""
    name: str = ""

    @property
    def shown(self) -> str:
        """As in `ada may not ...`."""
        what = f"{RESOURCE}/{self.name}" if self.name else RESOURCE
        return f"{self.verb} {what} in {f'namespace {self.namespace}' if self.namespace else 'all namespaces'}"

    @property
    def shown_by(self) -> str:
        """The command that shows whether the caller has it."""
        what = f"{RESOURCE}/{self.name}" if self.name else RESOURCE
        where = f"--namespace {self.namespace}" if self.namespace else "--all-namespaces"
        return f"kubectl auth can-i {self.verb} {what} {where}"


def names_problem(namespace: str, name: str) -> str | None:
    """Returns why there can be no Workspace so named; None where there can be. What is empty is not looked at."""
    if namespace and not names.is_label(namespace):
        return "the namespace is none: lower-case letters, digits and '-', at most 63 characters"
    if name and not names.is_subdomain(name):
        return "the name is none of a Workspace: lower-case letters, digits, '-' and '.', at most 253 characters"
    return None
