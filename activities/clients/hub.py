"""Queries one model hub, or a mirror of it, through the hub's own client: commits, files, configurations. Blocking.

The hub's package imports its parts at their first use, so that what it is for costs no memory before. Caches nothing: a
configuration is downloaded to a temporary folder. Every request has a time limit.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import huggingface_hub

# The package exports both, but not in the form that type checkers recognise.
from huggingface_hub.utils import build_hf_headers, paginate  # type: ignore[attr-defined]

from activities.contract.failures import failure
from api.configs.json_reading import read_json
from presets.hub.model import HubFile

REQUEST_S: Final = 20.0
MOST_FILES: Final = 20_000
LARGEST_CONFIG: Final = 4 << 20
CONFIGS: Final = ("config.json", "params.json")
"""The second is Mistral's own format, read if the first is missing."""


@dataclass(frozen=True)
class Hub:
    """A hub as one account sees it; anonymous without a token."""

    endpoint: str
    token: str | None = None

    def commit(self, repo: str, revision: str) -> tuple[str, bool]:
        """Returns the commit of a branch, tag or commit, and whether the model is gated. Raises the client's errors,
        among them GatedRepoError: a gated model's name is public, its files are not."""
        info = self._api.model_info(repo, revision=revision, timeout=REQUEST_S)
        if info.gated:
            self._api.auth_check(repo)
        return str(info.sha), bool(info.gated)

    def files(self, repo: str, commit: str) -> list[HubFile]:
        """Returns every file, page by page. Raises the client's errors, and ModelConfigInvalid above MOST_FILES."""
        address = f"{self.endpoint}/api/models/{repo}/tree/{commit}"
        files: list[HubFile] = []
        entries = paginate(address, params={"recursive": True}, headers=self._headers, timeout=REQUEST_S)
        for entry in entries:
            if entry.get("type") == "file":
                files.append(HubFile(str(entry["path"]), int(entry.get("size") or 0)))
            if len(files) > MOST_FILES:
                raise failure("ModelConfigInvalid", f"{repo} has more than {MOST_FILES} files: choose another model")
        return files

    def config(self, repo: str, commit: str, files: list[HubFile]) -> dict[str, Any]:
        """Returns the model's configuration. Raises ModelConfigInvalid, and the client's errors."""
        sizes = {file.path: file.size for file in files}
        name = next((name for name in CONFIGS if name in sizes), None)
        if name is None:
            raise failure(
                "ModelConfigInvalid", f"{repo} has no config.json: use a repository of the transformers library"
            )
        if sizes[name] > LARGEST_CONFIG:
            raise failure(
                "ModelConfigInvalid",
                f"{repo}: {name} has {sizes[name]} bytes, over the limit of {LARGEST_CONFIG}: choose another model",
            )
        return self._json(repo, commit, name)

    def _json(self, repo: str, commit: str, name: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="modelyard-hub-") as folder:
            path = huggingface_hub.hf_hub_download(
                repo,
                name,
                revision=commit,
                endpoint=self.endpoint,
                token=self.token or False,
                cache_dir=folder,
                etag_timeout=REQUEST_S,
            )
            text = Path(path).read_bytes()
        try:
            # Python's parser accepts NaN and Infinity, which some configurations contain.
            document = read_json(text)
        except ValueError as error:
            raise failure("ModelConfigInvalid", f"{repo}: {name} is not JSON: {error}") from None
        if not isinstance(document, dict):
            raise failure("ModelConfigInvalid", f"{repo}: {name} is not a JSON object: choose another model")
        return document

    @property
    def _api(self) -> "huggingface_hub.HfApi":
        return huggingface_hub.HfApi(endpoint=self.endpoint, token=self.token or False)

    @property
    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = build_hf_headers(token=self.token or False)
        return headers
