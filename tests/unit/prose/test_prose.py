"""What the repository's prose names is there, and its lines are as long as a reader's window.

`named_files.py` finds the names. Links are followed here; the generated pages are compared with their generators in
`tests/unit/api/test_reference_pages.py`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.unit.prose.named_files import FENCE, ROOT, Named, exists, named_in, named_in_code, source_files

FILES: Final = source_files()
PAGES: Final = [file for file in FILES if file.endswith(".md")]
LONGEST_LINE: Final = 120

OF_PODS: Final = {
    *("adapters.json", "data.json", "publish.json", "serve.json", "tune.json"),
    *("manifest.json", "published.json", "status.json", "training_summary.json", "fine_tuning_completed.txt"),
}
"""Files that exist in pods only: a program's configuration, and what it leaves behind."""
OF_CACHES: Final = {"torch-build.json"}
"""Files that the local stack leaves in the user's cache."""
OF_CHART: Final = {"modelyard.rules.yaml"}
"""Keys of ConfigMaps that the chart makes."""
OF_USERS: Final = {"inference_config.yaml", "training_config.yaml"}
"""Keys of users' ConfigMaps."""
OF_MODELS: Final = {"adapter_config.json", "config.json", "params.json", "README.md"}
"""Files of a model's or an adapter's own repository or image."""
OF_OTHERS: Final = {
    *("config.toml", "hosts.toml"),  # containerd's
    *("lora/layers/fused_moe.py", "lora/model_manager.py", "model_executor/layers/mamba/mamba_utils.py"),  # vLLM's
    *("vllm/config/lora.py", "vllm/lora/peft_helper.py"),
    "nn/modules.py",  # bitsandbytes'
}
ELSEWHERE: Final = OF_PODS | OF_CACHES | OF_CHART | OF_USERS | OF_MODELS | OF_OTHERS


def test_every_file_that_prose_names_exists() -> None:
    named = [Named(name, file) for file in FILES for name in sorted(named_in(file) - ELSEWHERE)]
    assert len(named) > 100
    assert [name for name in named if not exists(name, FILES)] == []


def test_no_name_is_excused_that_nobody_uses() -> None:
    named = {name for file in FILES for name in named_in(file)}
    assert ELSEWHERE - named == set()


@pytest.mark.parametrize(
    ("name", "where", "found"),
    [
        ("test_prose.py", "tests/unit/prose/named_files.py", True),
        ("registry_checks.py", "activities/__init__.py", False),
        ("api/reasons.py", "docs/reasons.md", True),
        ("reasons.py", "docs/operations.md", True),
        ("../ARCHITECTURE.md", "docs/concepts.md", True),
        ("presets/models/*.yaml", "docs/catalogue.md", True),
        # A bare name in code means a file below the same top-level folder: api/ has this one, cli/ has not.
        ("reasons.py", "api/labels.py", True),
        ("reasons.py", "cli/plan.py", False),
    ],
)
def test_where_a_name_is_looked_for(name: str, where: str, found: bool) -> None:
    assert exists(Named(name, where), FILES) is found


def test_names_in_code_are_found_in_docstrings_and_comments_only() -> None:
    code = '"""What is `a.py`, is b.py\'s."""\nX = 1  # see docs/c.md\n"""d.yaml."""\nY = "e.py"\n'
    assert named_in_code(code) == {"a.py", "b.py", "docs/c.md", "d.yaml"}


@pytest.mark.parametrize("page", PAGES)
def test_no_line_of_a_page_is_too_long(page: str) -> None:
    long = [line for line in prose_lines((ROOT / page).read_text()) if len(line) > LONGEST_LINE]
    assert not long, f"wrap at {LONGEST_LINE} columns"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_pages_and_anchors_that_exist(page: str) -> None:
    dead = [target for target in targets((ROOT / page).read_text()) if not is_reached(ROOT / page, target)]
    assert not dead


def prose_lines(text: str) -> Iterator[str]:
    """The lines that can be wrapped: no tables, no blocks of code, no definitions of links."""
    for line in FENCE.sub("", text).splitlines():
        if not line.lstrip().startswith("|") and not re.match(r"\[[^\]]+\]: ", line):
            yield line


def targets(text: str) -> list[str]:
    """Links within the repository, such as `docs/concepts.md#plan`."""
    found = re.findall(r"\]\(([^)#\s]*(?:#[^)\s]*)?)\)", FENCE.sub("", text))
    return [target for target in found if "://" not in target]


def is_reached(page: Path, target: str) -> bool:
    """Whether the file is there and, where an anchor is given, the heading or the id."""
    file, _, anchor = target.partition("#")
    aimed = (page.parent / file).resolve() if file else page
    if not aimed.exists() or not anchor:
        return aimed.exists()
    text = aimed.read_text()
    heads = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.M)}
    return anchor in heads or f'id="{anchor}"' in text
