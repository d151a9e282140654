"""The form of the policy: defaults for every namespace, overrides for some, and what holds for the whole installation.

Every value has a default that is safe. `reading.py` reads the document; who is judged by it is in the other files.
"""

from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool
from pydantic.alias_generators import to_camel

from api.providers import PROVIDERS, Provider

UNLIMITED: Final = "unlimited"
"""Written out, because Helm takes a null for a value that is not given."""
Nodes = Annotated[int, Field(strict=True, ge=0, le=100_000)] | Literal["unlimited"]
Dollars = Annotated[float, Field(strict=True, ge=0, le=10_000_000)] | Literal["unlimited"]
Pattern = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\[\]]+$")]
"""With `*` and `?`, whatever its case."""
Prefix = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^ ]+$")]
"""`registry.example/team/`, in which `{namespace}` stands for the Workspace's."""
VolumeKind = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-zA-Z]+$")]
Name = Annotated[str, Field(min_length=1, max_length=253)]
VOLUMES: Final = ("persistentVolumeClaim", "configMap", "secret", "emptyDir", "ephemeral", "csi")
"""The kinds that reach nothing of the node's, and no server that only nodes should reach."""
Privilege = Literal[
    "hostNamespaces", "hostPath", "hostPorts", "hostProbes", "privileged", "capabilities", "procMount", "profiles",
    "sysctls", "systemPriority",
]  # fmt: skip


class Part(BaseModel):
    """A part of the document: unknown keys are refused, and nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, use_attribute_docstrings=True)


class Templates(Part):
    """Pod templates (`inference.template`)."""

    allowed: StrictBool = True
    """Whether there may be any. Each needs the right to create pods in the namespace, too."""
    image_prefixes: tuple[Prefix, ...] = ()
    """What a container's image begins with, one of these; empty means any image. `{namespace}` stands for the
    Workspace's namespace."""
    service_accounts: tuple[Pattern, ...] = ("default",)
    """Which ServiceAccounts a template may name; `*` for any."""
    tolerations: tuple[Pattern, ...] = ()
    """Keys of taints that it may tolerate beside those of Modelyard's own nodes, such as `team.example/gpu`."""
    privileges: tuple[Privilege, ...] = ()
    """What is allowed nevertheless: of what Pod Security `baseline` refuses hostNamespaces (Windows' host processes
    too), hostPath, hostPorts, hostProbes, privileged, capabilities (any that is added), procMount, profiles (seccomp,
    AppArmor, SELinux) and sysctls; also systemPriority (priority classes that begin with `system-`)."""


class Repositories(Part):
    """Where images of adapters and data come from and go to. All namespaces may share one pull identity, so a prefix
    keeps each to its own."""

    adapters: tuple[Prefix, ...] = ()
    """What an adapter's image begins with, one of these; empty means any."""
    data: tuple[Prefix, ...] = ()
    """What `tuning.input.image` begins with."""
    output: tuple[Prefix, ...] = ()
    """What `tuning.output.image` begins with."""


class Rules(Part):
    """What the Workspaces of one namespace may have, all together where it is an amount."""

    machine_types: tuple[Pattern, ...] = ("*",)
    """VM sizes that may be bought, such as `Standard_NC*_A100_v4`."""
    nodes: Nodes = 8
    """Nodes at a time; or `unlimited`."""
    dollars_per_hour: Dollars = 100.0
    """US dollars an hour at list price, spot at no more than its own maximum; or `unlimited`."""
    spot_only: StrictBool = False
    """Whether only spot machines may be bought (with aks; NodeClaims cannot be bound to spot, and are refused)."""
    providers: tuple[Provider, ...] = PROVIDERS
    """Who may bring the nodes: aks, karpenter, byo."""
    volumes: tuple[VolumeKind, ...] = VOLUMES
    """Kinds of volume for adapters, training data and its output. `nfs` reaches any server that a node reaches, and
    `hostPath` whatever is on the node."""
    templates: Templates = Templates()
    """Pod templates."""
    repositories: Repositories = Repositories()
    """Images of adapters and data."""
    load_balancers: Literal["public", "internal", "none"] = "public"
    """What `kaito.sh/enablelb: "True"` makes of a Service: a load balancer with a public address, as KAITO does; one of
    the virtual network (Azure's internal load balancer); or it is refused. A model server asks for no password."""
    remote_code: StrictBool = False
    """Whether vLLM may run code of a model's own repository (`trust-remote-code`)."""


class Override(Part):
    """Other rules for some namespaces."""

    namespaces: tuple[Pattern, ...] = Field(min_length=1)
    """Their names, `*` for any part: `team-a`, `research-*`."""
    rules: Rules = Rules()
    """What is different there; what is not given stays as it is for the others."""


class Installation(Part):
    """What holds for all namespaces together."""

    machine_types: tuple[Pattern, ...] = ("*",)
    """VM sizes that may be bought at all."""
    nodes: Nodes = 32
    """Nodes of all Workspaces at a time; or `unlimited`."""
    dollars_per_hour: Dollars = 400.0
    """US dollars an hour of all Workspaces together, at list price; or `unlimited`."""


class Policy(Part):
    """What Workspaces may buy, mount and run, by namespace."""

    contact: str = Field(default="the operator of Modelyard", min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")
    """Who is asked for more: the end of every refusal."""
    installation: Installation = Installation()
    """What holds for all namespaces together. Who can name any namespace reaches this much and no more."""
    defaults: Rules = Rules()
    """What holds for each namespace."""
    namespaces: tuple[Override, ...] = ()
    """Other rules for some namespaces: a list of `namespaces` (names or patterns) with `rules`. Of several that match,
    a later one goes before an earlier one, value by value."""
    prices: dict[Name, Annotated[float, Field(strict=True, gt=0, le=100_000)]] = Field(default_factory=dict)
    """US dollars an hour by VM size, where your price is not the list price, or where none is known: a machine without
    a price is refused where dollars are limited."""

    def rules_of(self, namespace: str) -> Rules:
        """What holds for this namespace."""
        found: dict[str, Any] = dict(self.defaults)
        for override in self.namespaces:
            if matches(namespace, override.namespaces):
                found = _merged(found, override.rules)
        return Rules.model_construct(**found)


def matches(text: str, patterns: tuple[str, ...]) -> bool:
    """Whether the text fits one of the patterns, whatever its case."""
    return any(fnmatchcase(text.lower(), pattern.lower()) for pattern in patterns)


def _merged(under: dict[str, Any], over: Part) -> dict[str, Any]:
    """The values of `over` that were given, and the others of `under`; groups are merged likewise."""
    given = {name: getattr(over, name) for name in over.model_fields_set}
    for name, value in given.items():
        if isinstance(value, Part):
            below = under[name]
            given[name] = type(value).model_construct(**_merged(dict(below), value))
    return under | given
