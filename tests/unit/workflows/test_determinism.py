"""What workflow code may use: the same history must always lead it the same way.

Production runs it without the SDK's sandbox, tests and replays with it. The sandbox refuses at run time what is refused
here by reading: on every path, whether a test goes it or not.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

WORKFLOWS: Final = Path(__file__).parents[3] / "workflows"
FILES: Final = sorted(WORKFLOWS.rglob("*.py"))
PURE: Final = {"asyncio", "collections.abc", "dataclasses", "datetime", "enum", "itertools", "types", "typing"}
"""Of Python's own modules. asyncio's loop inside a workflow is the SDK's."""
OURS: Final = ("activities.contract", "api", "presets", "workflows")
SDK: Final = ("temporalio", "temporalio.common", "temporalio.exceptions", "temporalio.workflow", "pydantic")
CLIENTS: Final = {"sweep/schedule.py"}
"""Files that also have functions for processes with a client; workflows call none of these."""
REFUSED_CALLS: Final = {
    "asyncio.wait", "asyncio.as_completed", "asyncio.to_thread", "asyncio.run", "asyncio.timeout_at",
    "datetime.now", "datetime.utcnow", "datetime.today", "open", "input", "print", "hash", "id", "exec", "eval",
}  # fmt: skip
"""asyncio.wait and as_completed go through sets, whose order is that of addresses."""
WRITERS: Final = {
    "append",
    "extend",
    "insert",
    "add",
    "update",
    "setdefault",
    "pop",
    "popitem",
    "remove",
    "discard",
    "clear",
}
EFFECTS: Final = {
    "random", "secrets", "uuid", "time", "socket", "ssl", "subprocess", "threading", "multiprocessing", "os",
    "tempfile", "shutil", "urllib.request", "http.client", "aiohttp", "httpx", "httpx2", "kubernetes", "azure",
    "huggingface_hub",
}  # fmt: skip
IMPORTED: Final = """
import sys
import workflows.workspace, workflows.sweep.workflow
for name, module in sys.modules.items():
    if name.partition(".")[0] in ("activities", "api", "presets") and module.__file__:
        print(module.__file__)
"""


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that the file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def within(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in allowed)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(WORKFLOWS)))
def test_workflow_code_imports_only_what_is_deterministic(file: Path) -> None:
    found = set(imported(ast.parse(file.read_text())))
    others = {module for module in found if module not in PURE | set(SDK) and not within(module, OURS)}
    if str(file.relative_to(WORKFLOWS)) in CLIENTS:
        others = {module for module in others if not within(module, ("temporalio",))}
    assert others == set(), "workflow code has no I/O, clock or chance of its own: make it an activity"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(WORKFLOWS)))
def test_workflow_code_calls_nothing_that_differs_between_runs(file: Path) -> None:
    tree = ast.parse(file.read_text())
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls & REFUSED_CALLS == set(), "use workflow.now(), workflow.wait() and their like"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(WORKFLOWS)))
def test_workflow_code_keeps_nothing_between_workflows(file: Path) -> None:
    """Without the sandbox all workflows of a process share its modules."""
    tree = ast.parse(file.read_text())
    assert not any(isinstance(node, ast.Global) for node in ast.walk(tree))
    names = {name for node in tree.body for name in _bound(node)}
    written = {ast.unparse(node) for node in ast.walk(tree) if _written(node) in names}
    assert written == set(), "a table of a module is never written to: state belongs to the workflow's instance"


def _bound(node: ast.stmt) -> list[str]:
    """The names that a statement of a module gives to values."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [one.id for one in targets if isinstance(one, ast.Name)]


def _written(node: ast.AST) -> str:
    """The name of what is written to by an item or a method; empty if the node does neither."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITERS:
        return ast.unparse(node.func.value)
    if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        return ast.unparse(node.value)
    return ""


def test_what_workflow_code_imports_of_ours_has_no_effects_either() -> None:
    ended = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    files = [Path(line) for line in ended.stdout.splitlines()]
    assert any(file.name == "signatures.py" for file in files)
    found = {
        (file.name, module)
        for file in files
        for module in imported(ast.parse(file.read_text()))
        if within(module, tuple(EFFECTS))
    }
    assert found == set()
