"""PrepareModel: resolves the commit of a model, its size and our access to it, and reads the facts of models that are
not in the catalogue. Downloads no weights.

The token comes from the Secret that the Workspace names and is sent to the hub only.
"""

import asyncio
import base64
from collections.abc import Callable
from typing import Final, TypeVar

from activities.clients.host_names import HostNames, host_in, no_such_host
from activities.clients.hub import Hub
from activities.clients.kubernetes import Cluster
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.models import ModelRequest, PinnedModel
from activities.errors.hub import HUB_ERRORS, TOKEN_KEY, hub_failure
from presets.hub.model import (
    ConfigUnreadable,
    HubProblem,
    NeedsRemoteCode,
    NotATextModel,
    NoWeights,
    UnsupportedArchitecture,
    model_from_hub,
    weight_bytes,
)
from presets.models.catalog import Model

__all__ = ["TOKEN_KEY", "Models"]

DEADLINE_S: Final = 50.0
"""For all requests for one model together: below the time that the activity has for an attempt."""
DEFAULT_REVISION: Final = "main"
REASONS: Final[dict[type[HubProblem], str]] = {
    UnsupportedArchitecture: "ModelUnsupported",
    NeedsRemoteCode: "ModelNeedsCode",
    NotATextModel: "ModelWritesNoText",
    NoWeights: "ModelWithoutWeights",
    ConfigUnreadable: "ModelConfigInvalid",
}

Answer = TypeVar("Answer")


class Models:
    """Resolves models at one hub."""

    def __init__(self, cluster: Cluster, hf_endpoint: str, names: HostNames | None = None) -> None:
        self._cluster = cluster
        self._names = names or HostNames()
        self._endpoint = hf_endpoint.rstrip("/")

    @signatures.implements(signatures.READ_MODEL_REVISION)
    async def read_model_revision(self, request: ModelRequest) -> PinnedModel:
        """Returns the commit of a branch or tag, and the size of what is fetched. Raises ModelNotFound, ModelGated,
        ModelTokenInvalid, ModelHubBusy, ModelUnreachable, HostNotFound, SecretNotFound."""
        token = await self._token(request.workspace.namespace, request.access_secret)

        def pinned(hub: Hub) -> PinnedModel:
            commit, _ = hub.commit(request.model, request.revision)
            files = hub.files(request.model, commit)
            return PinnedModel(model=request.model, revision=commit, weight_bytes=weight_bytes(files))

        return await self._query(pinned, f"{request.model}@{request.revision}", token)

    async def read_facts(
        self, namespace: str, repo: str, access_secret: str = "", revision: str = DEFAULT_REVISION
    ) -> Model:
        """Returns what sizing needs of a model that is not in the catalogue. Raises the reasons of
        `read_model_revision`, and ModelUnsupported, ModelNeedsCode, ModelWritesNoText, ModelWithoutWeights,
        ModelConfigInvalid."""
        token = await self._token(namespace, access_secret)

        def facts(hub: Hub) -> Model:
            commit, gated = hub.commit(repo, revision)
            files = hub.files(repo, commit)
            config = hub.config(repo, commit, files)
            try:
                return model_from_hub(repo, config, files, commit, gated=gated)
            except HubProblem as problem:
                raise failure(REASONS[type(problem)], str(problem)) from None

        return await self._query(facts, f"{repo}@{revision}", token)

    async def _query(self, query: Callable[[Hub], Answer], what: str, token: str | None) -> Answer:
        where = f"{what} at {self._endpoint}"
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await asyncio.to_thread(query, Hub(self._endpoint, token))
        except TimeoutError:
            raise failure("ModelUnreachable", f"{where} did not answer within {DEADLINE_S:g} s") from None
        except HUB_ERRORS as error:
            found = hub_failure(error, where, with_token=token is not None)
            if found.type == "ModelUnreachable" and (missing := await self._names.missing(host_in(self._endpoint))):
                raise failure("HostNotFound", f"{where}: {no_such_host(missing[0])}") from None
            raise found from None

    async def _token(self, namespace: str, access_secret: str) -> str | None:
        if not access_secret:
            return None
        secret = await self._cluster.get("Secret", access_secret, namespace)
        encoded = ((secret or {}).get("data") or {}).get(TOKEN_KEY)
        if not encoded:
            message = f"Secret {namespace}/{access_secret} is missing or has no key {TOKEN_KEY}"
            raise failure("SecretNotFound", message)
        return base64.b64decode(encoded).decode().strip()
