"""Verify of a tuning: the worker, not the pod that pushed, reads back what the tag refers to."""

from activities.clients.kubernetes import Cluster
from activities.clients.registry import Registries, RegistryUnreachable
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.tuning import AdapterRequest, PublishedAdapter
from api.oci.docker_config import DockerConfig, DockerConfigError, accounts_for
from api.oci.image_reference import ImageReference


class Adapters:
    """Reads published adapters. Changes nothing."""

    def __init__(self, cluster: Cluster, registries: Registries) -> None:
        self._cluster = cluster
        self._registries = registries

    @signatures.implements(signatures.READ_ADAPTER)
    async def read_adapter(self, request: AdapterRequest) -> PublishedAdapter:
        """Returns the tag's digest. Raises RegistryUnreachable, SecretNotFound, and VerifyFailed if the digest
        differs."""
        namespace = request.workspace.namespace
        secret = await self._cluster.get("Secret", request.secret, namespace) if request.secret else None
        image = ImageReference.parse(request.image)
        try:
            configs = [DockerConfig.of_secret(request.secret, secret, by_kubelet=False)] if secret else []
            account = next(iter(accounts_for(image, configs)), None)
            found = await self._registries.digest(image, account)
        except DockerConfigError as error:
            raise failure("SecretNotFound", f"{request.image}: {error} (namespace {namespace})") from None
        except RegistryUnreachable as error:
            raise failure("RegistryUnreachable", f"{request.image}: {error}") from None
        if found and found != request.digest:
            message = (
                f"{request.image} is {found} now, but {request.digest} was pushed: another client has pushed to it"
            )
            raise failure("VerifyFailed", message)
        if not found:
            message = f"{request.image} was pushed as {request.digest}, but the registry does not return it"
            raise failure("VerifyFailed", message)
        return PublishedAdapter(image=request.image, digest=found)
