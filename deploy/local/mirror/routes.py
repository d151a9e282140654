"""Parses a raw request path into a typed Target: the Hub's URL scheme.

Segments are split before they are decoded, because the Hub's clients send `refs%2Fpr%2F1` as one segment and a folder's
path as another. A path with an empty, `.` or `..` part is rejected here; `server.py` responds.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from deploy.local.mirror.repository import DEFAULT_BRANCH, Kind

# "resolve" is a file at its public URL; "download" is a large file at the signed link that resolve redirects to.
Action = Literal["info", "tree", "paths-info", "refs", "auth-check", "resolve", "download"]
DOWNLOADS = "_lfs"
_WITH_REVISION: dict[str, Action] = {"revision": "info", "tree": "tree", "paths-info": "paths-info"}
_WITHOUT_REVISION: dict[str, Action] = {"refs": "refs", "auth-check": "auth-check"}


@dataclass(frozen=True)
class Target:
    """One item of a repository. `path` is empty for the root folder and for actions without a path."""

    action: Action
    kind: Kind
    repo: str
    revision: str = DEFAULT_BRANCH
    path: str = ""

    @property
    def subject(self) -> str:
        """The text that a fault's pattern is matched with: `models/owner/name/file`, or `api/models/owner/name`."""
        is_file = self.action in ("resolve", "download")
        return f"{self.kind}/{self.repo}/{self.path}" if is_file else f"api/{self.kind}/{self.repo}"


class NoSuchAddress(LookupError):
    """The Hub has no such address, or the path does not name a file."""


def parse(raw_path: str) -> Target:
    """The target of a request path that is still percent-encoded. Raises NoSuchAddress."""
    segments = [unquote(segment) for segment in raw_path.strip("/").split("/")]
    if segments[0] == "api":
        return _parse_api(segments[1:], raw_path)
    if segments[0] == DOWNLOADS and len(segments) > 5:
        return Target("download", _kind(segments[1], raw_path), _repo(segments[2:]), segments[4], _path(segments[5:]))
    kind: Kind = "datasets" if segments[0] == "datasets" else "models"
    rest = segments[1:] if kind == "datasets" else segments
    if len(rest) < 5 or rest[2] not in ("resolve", "raw"):
        raise NoSuchAddress(f"nothing is served at {raw_path}")
    return Target("resolve", kind, _repo(rest), rest[3], _path(rest[4:]))


def _parse_api(segments: list[str], raw_path: str) -> Target:
    kind = _kind(segments[0] if segments else "", raw_path)
    if len(segments) < 3:
        raise NoSuchAddress(f"nothing is served at {raw_path}: a repository is named owner/name")
    repo, rest = _repo(segments[1:]), segments[3:]
    match rest:
        case []:
            return Target("info", kind, repo)
        case [word] if word in _WITHOUT_REVISION:
            return Target(_WITHOUT_REVISION[word], kind, repo)
        case [("revision" | "paths-info") as word, revision]:
            return Target(_WITH_REVISION[word], kind, repo, revision)
        case ["tree", revision, *path]:
            return Target("tree", kind, repo, revision, _path(path))
        case _:
            raise NoSuchAddress(f"nothing is served at {raw_path}")


def _kind(word: str, raw_path: str) -> Kind:
    match word:
        case "models":
            return "models"
        case "datasets":
            return "datasets"
        case _:
            raise NoSuchAddress(f"nothing is served at {raw_path}")


def _repo(segments: list[str]) -> str:
    return f"{segments[0]}/{segments[1]}"


def _path(segments: list[str]) -> str:
    parts = "/".join(segments).split("/") if segments else []
    if any(part in ("", ".", "..") for part in parts):
        raise NoSuchAddress(f"{'/'.join(segments)!r} is no path inside a repository")
    return "/".join(parts)
