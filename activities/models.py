"""PrepareModel: which commit of a model is served, how large it is, and whether we may have it. Downloads nothing.

The hub client is huggingface_hub; its HF_TOKEN comes from the Secret that the Workspace names and goes nowhere else.
"""

import asyncio
import base64
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from activities import signatures
from activities.contracts import ModelRequest, PinnedModel
from activities.failures import failure
from activities.kubernetes_api import Cluster

TOKEN_KEY = "HF_TOKEN"
HUB_TIMEOUT_S = 20.0


class Models:
    """Resolves models at one hub."""

    def __init__(self, cluster: Cluster, hf_endpoint: str) -> None:
        self._cluster = cluster
        self._endpoint = hf_endpoint

    @signatures.implements(signatures.READ_MODEL_REVISION)
    async def read_model_revision(self, request: ModelRequest) -> PinnedModel:
        """The commit behind a branch or tag. Raises ModelNotFound, ModelGated, ModelTokenInvalid, ModelUnreachable,
        SecretNotFound."""
        token = await self._token(request)
        info = await asyncio.to_thread(self._model_info, request, token)
        files = {file.rfilename: file.size or 0 for file in info.siblings or []}
        return PinnedModel(model=request.model, revision=info.sha, weight_bytes=weight_bytes(files))

    def _model_info(self, request: ModelRequest, token: str | None) -> Any:
        where = f"{request.model}@{request.revision} at {self._endpoint}"
        api = HfApi(endpoint=self._endpoint, token=token or False)
        try:
            return api.model_info(request.model, revision=request.revision, files_metadata=True, timeout=HUB_TIMEOUT_S)
        except GatedRepoError:
            message = f"{where} is gated: accept its licence with the account of {TOKEN_KEY} and set modelAccessSecret"
            raise failure("ModelGated", message) from None
        except (RepositoryNotFoundError, RevisionNotFoundError):
            raise failure("ModelNotFound", f"{where} does not exist, or the token may not see it") from None
        except HfHubHTTPError as error:
            if error.response is not None and error.response.status_code in (401, 403):
                raise failure("ModelTokenInvalid", f"{where} refused the token in the Secret's {TOKEN_KEY}") from None
            raise failure("ModelUnreachable", f"{where}: {error}") from None
        except OSError as error:
            raise failure("ModelUnreachable", f"{where} cannot be reached: {error}") from None

    async def _token(self, request: ModelRequest) -> str | None:
        if not request.access_secret:
            return None
        namespace = request.workspace.namespace
        secret = await self._cluster.get("Secret", request.access_secret, namespace)
        encoded = ((secret or {}).get("data") or {}).get(TOKEN_KEY)
        if not encoded:
            message = f"Secret {namespace}/{request.access_secret} is missing or has no key {TOKEN_KEY}"
            raise failure("SecretNotFound", message)
        return base64.b64decode(encoded).decode().strip()


def weight_bytes(files: dict[str, int]) -> int:
    """Bytes of the safetensors files at the top of a repository; sub-folders hold the same weights in other formats."""
    return sum(size for name, size in files.items() if name.endswith(".safetensors") and "/" not in name)
