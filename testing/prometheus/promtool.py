"""Prometheus' own checker of rules, out of Debian's package.

The package is downloaded and unpacked into the user's cache, not installed: its server would be started. What rules are
to say is the tests' affair.
"""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.local.host.commands import CommandFailed, output_of

PACKAGE: Final = "prometheus"
DOWNLOAD_DEADLINE_S: Final = 900.0
"""30 MB."""
DEADLINE_S: Final = 120
RULES: Final = "modelyard.rules.yaml"
FIX: Final = "`apt-get update` must have run and reach a Debian archive"


class RulesRefused(RuntimeError):
    """What the tool says is wrong."""


@dataclass(frozen=True)
class Promtool:
    """Runs the tool in a folder of its own."""

    program: Path

    def check(self, groups: list[Any]) -> str:
        """Returns what it says of the syntax of rules. Raises RulesRefused, also for rules that are there twice."""
        return self._run({RULES: {"groups": groups}}, "check", "rules", "--lint=all", "--lint-fatal", RULES)

    def test(self, groups: list[Any], cases: dict[str, Any]) -> str:
        """Runs unit tests of rules, as Prometheus documents them. Raises RulesRefused with what differs."""
        files = {RULES: {"groups": groups}, "cases.yaml": {"rule_files": [RULES], **cases}}
        return self._run(files, "test", "rules", "cases.yaml")

    def _run(self, files: dict[str, Any], *arguments: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                # Through JSON: plain values only, without YAML's anchors.
                (Path(folder) / name).write_text(yaml.safe_dump(json.loads(json.dumps(content))))
            done = subprocess.run(
                [self.program, *arguments], cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S, check=False
            )
        if done.returncode:
            raise RulesRefused(done.stdout + done.stderr)
        return done.stdout


def ensure_promtool(cache: Path) -> Promtool:
    """Returns the tool. Raises CommandFailed where there is no apt-get, or no archive that it reaches."""
    program = cache / "promtool" / "promtool"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as name:
            folder = Path(name)
            _download(folder)
            [package] = folder.glob("*.deb")
            output_of(["dpkg-deb", "--extract", str(package), str(folder)], deadline_s=DOWNLOAD_DEADLINE_S)
            # At once: another process may look for it, or download it too.
            (folder / "usr" / "bin" / "promtool").replace(program)
    return Promtool(program)


def _download(folder: Path) -> None:
    # The folder is below a home that apt's own user may not enter.
    argv = ["apt-get", "-oAPT::Sandbox::User=root", "download", PACKAGE]
    try:
        output_of(argv, deadline_s=DOWNLOAD_DEADLINE_S, folder=folder)
    except CommandFailed:  # the lists of packages may lack, or be older than the archive
        output_of(["apt-get", "update"], deadline_s=DOWNLOAD_DEADLINE_S, fix=FIX)
        output_of(argv, deadline_s=DOWNLOAD_DEADLINE_S, folder=folder, fix=FIX)
