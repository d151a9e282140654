"""The page for operators has each environment variable of the processes, and none that no process reads."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from pydantic_settings import BaseSettings

from activities.clients.azure import AzureSettings
from activities.nodes.aks.pool_options import PoolSettings
from admin.settings import AdminSettings
from admin.webhook.settings import WebhookSettings
from process.policy import PolicySettings
from process.settings import ProcessSettings
from tests.unit.prose.named_files import ROOT
from tests.unit.prose.test_commands import page
from worker.settings import WorkerSettings

PREFIX: Final = "MODELYARD_"
NAME: Final = re.compile(r"`([A-Z][A-Z_]+)`")
FULL: Final = re.compile(rf"\b{PREFIX}[A-Z_]*[A-Z]\b")
OF_A_CHECKOUT: Final = {"BASE_IMAGE", "HOME", "HF_ENDPOINT", "TORCH_INDEX_URL", "KUBERNETES_URL", "ETCD_URL"}
"""Of the `modelyard` command where images are built and the local stack runs."""


def variables(*models: type[BaseSettings]) -> set[str]:
    """Without the prefix that all have."""
    names = {f"{model.model_config['env_prefix']}{name}".upper() for model in models for name in model.model_fields}
    return {name.removeprefix(PREFIX) for name in names}


READ: Final = variables(
    AzureSettings, PoolSettings, AdminSettings, WebhookSettings, PolicySettings, ProcessSettings, WorkerSettings
)
OF_THE_WEBHOOK: Final = {name for name in READ if name.startswith("WEBHOOK_")}
"""On the webhook's own page."""


def rows(text: str) -> Iterator[str]:
    """The variables in the first column of the page's table of settings."""
    table = text.partition("\n## Settings\n")[2].partition("\n## ")[0]
    for line in table.splitlines():
        if line.startswith("| `"):
            yield from NAME.findall(line.split("|")[1])


def test_the_table_has_what_the_processes_read_and_nothing_else() -> None:
    listed = list(rows(page("operations")))
    assert len(listed) == len(set(listed))
    assert set(listed) == READ - OF_THE_WEBHOOK


@pytest.mark.parametrize("file", sorted((ROOT / "docs").glob("*.md")), ids=lambda file: file.stem)
def test_no_page_names_a_variable_that_nobody_reads(file: Path) -> None:
    named = {name.removeprefix(PREFIX) for name in FULL.findall(file.read_text())}
    assert named <= READ | OF_A_CHECKOUT
