"""What an installation wants of every agent pool that it buys, whatever the Workspace: network, disks, tags.

What a Workspace's plan decides (size, count, zones, spot) is in `agent_pool_spec.py`, which applies both.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

OWN_TAGS: Final = "modelyard-"
"""What the names of Modelyard's own tags begin with."""
_GROUP: Final = r"/subscriptions/[^/]+/resource[Gg]roups/[^/]+/providers"
SUBNET: Final = rf"^({_GROUP}/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+)?$"
RESERVATION: Final = rf"^({_GROUP}/Microsoft\.Compute/capacityReservationGroups/[^/]+)?$"

SubnetId = Annotated[str, Field(pattern=SUBNET)]
TagName = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^<>%&\\?/]+$")]
"""The length is not part of the pattern: 512 times a class of all Unicode is 1.3 MiB of the process."""
TagValue = Annotated[str, Field(max_length=256)]


class PoolOptions(BaseModel):
    """Empty means AKS's default. The names and limits are those of the agent pool in ARM's API 2026-08-01."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    subnet_id: SubnetId = ""
    """Resource ID of the subnet of nodes (and of pods, without `podSubnetId`); required in a network of your own."""
    pod_subnet_id: SubnetId = ""
    """Resource ID of the subnet of pods."""
    capacity_reservation_group_id: str = Field(default="", pattern=RESERVATION)
    """Resource ID of the capacity reservation group that machines are taken from; spot machines never are."""
    os_disk_type: Literal["", "Managed", "Ephemeral"] = ""
    """Where the OS disk lies: `Managed`, or `Ephemeral` on the machine itself."""
    os_disk_gib: int | None = Field(default=None, ge=30, le=2048)
    """Least size of the OS disk in GiB; a plan that needs more gets more."""
    encryption_at_host: bool = False
    """Whether the host encrypts disks and caches. The subscription needs the feature."""
    gpu_management: Literal["", "Managed", "Unmanaged"] = ""
    """`Managed`: AKS installs device plugin and metrics beside the driver. The pool cannot be changed later."""
    tags: dict[TagName, TagValue] = Field(default_factory=dict, max_length=46)
    """Azure tags of each pool beside Modelyard's four, of which Azure allows 50."""

    @field_validator("tags")
    @classmethod
    def _own_tags_are_ours(cls, tags: dict[str, str]) -> dict[str, str]:
        # Azure compares names of tags without regard to case.
        taken = sorted(name for name in tags if name.lower().startswith(OWN_TAGS))
        if taken:
            raise ValueError(f"{', '.join(taken)}: tags that begin with {OWN_TAGS} are Modelyard's; choose other names")
        return tags


AKS_DEFAULTS: Final = PoolOptions()
"""Of an installation that wants nothing in particular."""


class PoolSettings(PoolOptions, BaseSettings):
    """The same from the environment: MODELYARD_AZURE_POOL_SUBNET_ID and so on; the tags as JSON."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_AZURE_POOL_", frozen=True, extra="ignore")
