"""`modelyard validate -f FILE [--old FILE] [--provider P] [--policy FILE] [--json]`: the admission rules, offline.

Reads, asks `presets.admission.rules` and prints. 0 when every Workspace is accepted, 1 when one is refused or cannot be
read, 2 when there is no file or no Workspace in it.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from api import labels
from api.policy.document import Policy
from api.providers import Provider
from api.validation import Problem
from api.validation.document import Part
from api.validation.rules import rule_table
from cli.exit_codes import GOOD, MISUSE, NO
from cli.manifests import Manifest, ManifestUnreadable, read_manifests
from cli.policy_file import read_policy
from presets.admission.config_maps import ConfigMaps
from presets.plan import judge
from presets.plan.judge import Known, problems_on_create, problems_on_update

WANTED: Final = (labels.KIND, "ConfigMap")
_OTHERS_OF_KAITO: Final = frozenset({"InferenceSet", "MultiRoleInference", "ModelMirror", "RAGEngine"})
Key = tuple[str, str]


@dataclass(frozen=True)
class Finding:
    """One problem at its place in the file."""

    rule: str
    path: str
    line: int | None
    message: str
    instead: str


@dataclass(frozen=True)
class Verdict:
    """What is said about one document; `verdict` is accepted, refused or skipped."""

    file: str
    document: int
    line: int | None
    kind: str
    namespace: str
    name: str
    verdict: str
    notes: list[str] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)


def run(
    files: Sequence[str],
    *,
    old: str | None,
    provider: Provider,
    allowed_hosts: Sequence[str],
    as_json: bool,
    policy_file: str | None = None,
    region: str = "",
) -> int:
    """Judges and prints; returns the exit code."""
    try:
        policy = read_policy(policy_file)
        manifests = [manifest for file in files for manifest in read_manifests(file, wanted=WANTED)]
        stored = _stored(read_manifests(old, wanted=WANTED)) if old else None
    except (ManifestUnreadable, ValueError) as error:
        print(error, file=sys.stderr)
        return MISUSE
    validator = Validator(provider, allowed_hosts, _config_maps(manifests), stored, policy, region)
    verdicts = [validator.verdict(manifest) for manifest in manifests]
    if all(verdict.verdict == "skipped" for verdict in verdicts):
        print(f"there is no Workspace in {', '.join(files)}", file=sys.stderr)
        return MISUSE
    accepted = all(verdict.verdict != "refused" for verdict in verdicts)
    if as_json:
        print(json.dumps({"accepted": accepted, "documents": [asdict(verdict) for verdict in verdicts]}, indent=2))
    else:
        print("\n".join(line for verdict in verdicts for line in _lines(verdict)))
    return GOOD if accepted else NO


@dataclass(frozen=True)
class Validator:
    """All that a verdict depends on beside the document."""

    provider: str
    allowed_hosts: Sequence[str]
    config_maps: dict[Key, dict[str, Any]]
    stored: dict[Key, Any] | None
    policy: Policy | None = None
    region: str = ""

    def verdict(self, manifest: Manifest) -> Verdict:
        """What is said about this document."""
        if manifest.problem:
            return _verdict(manifest, "refused", problems=[_finding(manifest, Problem("L1", "", manifest.problem))])
        if not _is_workspace(manifest):
            used = manifest.kind == "ConfigMap"
            note = "read for the Workspaces that name it" if used else "not checked: this is not a Workspace"
            return _verdict(manifest, "skipped", notes=[note])
        notes: list[str] = []
        problems = [_finding(manifest, problem) for problem in self._problems(manifest, notes)]
        return _verdict(manifest, "refused" if problems else "accepted", notes, problems)

    def _problems(self, manifest: Manifest, notes: list[str]) -> list[Problem]:
        config_maps = self._config_maps_of(manifest, notes)
        old = self.stored.get(_key(manifest)) if self.stored else None
        if self.stored is not None and old is None:
            notes.append("checked as new: it is not in the file of --old")
        known = Known(
            provider=self.provider,
            allowed_hosts=self.allowed_hosts,
            config_maps=config_maps,
            policy=self.policy,
            region=self.region,
        )
        told = judge.notes(manifest.value, provider=self.provider, config_maps=config_maps, policy=self.policy)
        notes.extend(f"{note.path}: {note.message}" for note in told)
        if old is None:
            return problems_on_create(manifest.value, **known)
        return problems_on_update(old, manifest.value, **known)

    def _config_maps_of(self, manifest: Manifest, notes: list[str]) -> ConfigMaps | None:
        """Those of its namespace; None, and a note, when the one it names is not in the files but may be stored."""
        namespace = _key(manifest)[0]
        there = {name: value for (space, name), value in self.config_maps.items() if space == namespace}
        root = Part("", manifest.value)
        named = [part.text for part in (root["inference"]["config"], root["tuning"]["config"]) if part.text]
        missing = [name for name in named if name not in there]
        notes.extend(f"ConfigMap {name!r} is not in the files: its content was not checked" for name in missing)
        return None if missing else there


def _stored(manifests: Sequence[Manifest]) -> dict[Key, Any]:
    """Stored Workspaces by namespace and name. Raises ValueError when one cannot be read."""
    for manifest in manifests:
        if manifest.problem:
            raise ValueError(f"{manifest.file}: document {manifest.number}: {manifest.problem}")
    return {_key(manifest): manifest.value for manifest in manifests if _is_workspace(manifest)}


def _config_maps(manifests: Sequence[Manifest]) -> dict[Key, dict[str, Any]]:
    return {_key(manifest): manifest.value for manifest in manifests if manifest.kind == "ConfigMap" and manifest.value}


def _is_workspace(manifest: Manifest) -> bool:
    """Also what was probably meant to be one: a misspelled kind must not pass as somebody else's."""
    group = Part("", manifest.value)["apiVersion"].text.partition("/")[0]
    meant = group == labels.GROUP and manifest.kind not in _OTHERS_OF_KAITO
    return manifest.kind == labels.KIND or (manifest.value is not None and (meant or not manifest.kind))


def _key(manifest: Manifest) -> Key:
    metadata = Part("", manifest.value)["metadata"]
    return metadata["namespace"].text or "default", metadata["name"].text


def _finding(manifest: Manifest, problem: Problem) -> Finding:
    instead = rule_table()[problem.rule].instead
    return Finding(problem.rule, problem.path, manifest.line_of(problem.path), problem.message, instead)


def _verdict(manifest: Manifest, verdict: str, notes: Sequence[str] = (), problems: Sequence[Finding] = ()) -> Verdict:
    namespace, name = _key(manifest)
    return Verdict(
        file=manifest.file,
        document=manifest.number,
        line=manifest.line,
        kind=manifest.kind,
        namespace=namespace,
        name=name,
        verdict=verdict,
        notes=list(notes),
        problems=list(problems),
    )


def _lines(verdict: Verdict) -> list[str]:
    what = f"{verdict.kind or 'document'} {verdict.namespace}/{verdict.name}" if verdict.name else verdict.kind
    head = f"{verdict.file}: document {verdict.document}: {what or 'document'}: {verdict.verdict}"
    lines = [head, *(f"  note: {note}" for note in verdict.notes)]
    for problem in verdict.problems:
        where = f"{verdict.file}:{problem.line}" if problem.line else verdict.file
        path = f"{problem.path}: " if problem.path else ""
        lines.append(f"  {where}: {path}{problem.message} [{problem.rule}]")
        if problem.instead:
            lines.append(f"    write instead: {problem.instead}")
    return lines
