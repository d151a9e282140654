"""What an unreachable host means for a Workspace: a missing name fails a check, anything else leaves it open.

`clients/host_names.py` finds out whether a name exists; the requests themselves are made elsewhere.
"""

from typing import Final

from activities.clients.host_names import HostNames, host_in, no_such_host
from activities.clients.registry import RegistryUnreachable
from activities.contract.plan import Check
from api.oci.image_reference import ImageReference
from api.preflight import CheckName
from api.validation.document import Part

MIRRORED: Final = ("docker.io", "index.docker.io", "registry-1.docker.io", "mcr.microsoft.com", "ghcr.io", "quay.io",
                   "nvcr.io", "registry.k8s.io", "gcr.io", "public.ecr.aws")  # fmt: skip
"""Registries of which closed networks keep mirrors: nodes pull from these although the name does not resolve there."""
NAMED: Final = 10
"""Hosts of data that a message names."""


class Hosts:
    """Judges hosts by one resolver."""

    def __init__(self, names: HostNames) -> None:
        self._names = names

    async def unreachable(
        self, check: CheckName, what: str, image: ImageReference, error: RegistryUnreachable, *, by_nodes: bool = False
    ) -> Check:
        """The result for an image whose registry gave no answer; `by_nodes`: nodes pull it, not a pod of ours."""
        host = host_in(image.host)
        if not (by_nodes and host in MIRRORED) and await self._names.missing(host):
            return Check(name=check, outcome="failed", reason="HostNotFound", message=f"{what}: {no_such_host(host)}")
        return Check(name=check, outcome="unknown", message=f"{what}: {error}")

    async def of_data(self, source: Part) -> Check:
        """Whether the hosts exist that `tuning.input` names by links or by an image. Nothing is fetched."""
        hosts = [host_in(url.text) for url in source["urls"].items()]
        if source["image"].text:
            hosts.append(host_in(_host_of(source["image"].text)))
        missing = await self._names.missing(*hosts)
        if not missing:
            return Check(name=CheckName.DATA_HOSTS, outcome="passed")
        message = f"the training's data: {'; '.join(map(no_such_host, missing[:NAMED]))}"
        return Check(name=CheckName.DATA_HOSTS, outcome="failed", reason="HostNotFound", message=message)


def _host_of(reference: str) -> str:
    try:
        return ImageReference.parse(reference).host
    except ValueError:  # admission judges references
        return ""
