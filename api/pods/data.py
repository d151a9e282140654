"""data.json and manifest.json: the configuration of the pod that fetches training data, and its result.

`activities` builds the first and puts it into a ConfigMap; `runtime.data` reads it and writes the second last, once
all data is complete and validated for training. Fields are only ever added, with defaults.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.configs.mounted_paths import DATA
from api.configs.training_sections import DatasetConfig
from api.pods.registries import RegistryAccess

DATA_PORT: Final = 5003
"""The port of /metrics and /healthz during the fetch."""
DATA_CONFIG_PATH: Final = "/etc/modelyard/data.json"
MANIFEST_FILE: Final = "manifest.json"

Phase = Literal["starting", "fetching", "waiting", "unpacking", "validating", "complete", "failed"]


class DataConfig(BaseModel):
    """Everything `runtime.data` needs to know. Neither urls nor image: a volume, judged where it is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    folder: str = Field(DATA, description="Receives the data, or holds it already.")
    urls: tuple[str, ...] = ()
    image: str | None = Field(None, description="An OCI image with the data below /data.")
    dataset: DatasetConfig = Field(default_factory=lambda: DatasetConfig(), description="Columns to use.")
    registry: RegistryAccess = Field(default_factory=lambda: RegistryAccess())
    allowed_hosts: tuple[str, ...] = Field((), description="Hosts that links may lead to whatever they are.")
    hf_endpoint: str | None = Field(None, description="Replaces https://huggingface.co in links to it.")
    manifest: str | None = Field(
        None, description="Where the manifest goes; without it, into the folder, unless that is a volume of the user's."
    )
    tokenizer_file: str | None = Field(None, description="A tokenizer.json; makes the count of tokens a better one.")
    tokenizer_folder: str | None = Field(
        None, description="Receives the files of the model's tokenizer, by which rows are judged as they are rendered."
    )
    tokenizer_deadline_s: float = Field(900, ge=0, description="Seconds to wait for them.")
    chat_template: str | None = Field(
        None, description="In the place of the model's own: a template, or its path; an empty one is none."
    )
    max_bytes: int = Field(200 * 2**30, ge=1, description="More data than this is refused.")
    max_files: int = Field(10_000, ge=1)
    stall_s: float = Field(60, gt=0, description="Seconds without a byte: a stall.")
    attempts: int = Field(5, ge=1, description="Tries of each file before giving up.")
    pause_s: float = Field(2, gt=0, description="Seconds before the second try; doubled before each further one.")
    port: int = Field(DATA_PORT, ge=0, le=65535, description="0 takes any free one.")

    @property
    def fetched(self) -> bool:
        """Whether this pod fills the folder; otherwise it is the user's own and stays unchanged."""
        return bool(self.urls or self.image)

    @property
    def manifest_path(self) -> str | None:
        """None where no manifest is written: then it is told at the end, and only there."""
        return self.manifest or (f"{self.folder}/{MANIFEST_FILE}" if self.fetched else None)


class DataFileRecord(BaseModel):
    """One file that will be trained on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="Relative to the folder.")
    sha256: str
    bytes: int
    format: str
    rows: int
    usable: int
    columns: list[str]
    shape: str = Field(description="messages, pair or text.")
    source: str = Field("", description="Host of the link, or the image's digest; never a whole link.")


class DataManifest(BaseModel):
    """What the data is. `digest` is data_digest() over the files."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    digest: str
    files: list[DataFileRecord]
    rows: int
    usable: int
    bytes: int
    tokens: int = Field(description="About as many as one pass over the data trains on.")
    tokens_by: str = Field(description="How they were counted: an estimate says so.")
    asked: str = Field("", description="request_digest() of what was asked for; another request is fetched anew.")
    warnings: list[str] = Field(
        default_factory=list, description="What cannot be learnt, or from what nothing can, with the places."
    )
    not_rendered: dict[str, int] = Field(
        default_factory=dict, description="By kind, such as thoughts: what the chat template leaves out of usable rows."
    )


class DataStatus(BaseModel):
    """The pod's status on /healthz."""

    phase: Phase = "starting"
    reason: str = ""
    message: str = ""
    bytes_done: int = 0
    bytes_total: int = 0
    attempts: int = 0
    manifest: DataManifest | None = None


def request_digest(config: DataConfig) -> str:
    """sha256 as hex over what decides which data there will be, and how it is judged."""
    request = config.model_dump_json(include={"urls", "image", "dataset", "max_bytes", "max_files"})
    if config.tokenizer_folder:  # what was judged before there were templates is judged again
        request += config.model_dump_json(include={"tokenizer_folder", "chat_template"})
    return sha256(request.encode()).hexdigest()


def data_digest(files: Iterable[tuple[str, str]]) -> str:
    """sha256 as hex over (name, sha256) of all files, in the order of their names; as the trainer counts it too."""
    digest = sha256()
    for name, content in sorted(files):
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()
