"""Where the emulator keeps its records, and the token that its clients must send."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from deploy.local.layout import Layout


@dataclass(frozen=True)
class ArmFiles:
    """The files of one emulator."""

    records: Path
    token: Path

    @classmethod
    def of(cls, layout: Layout) -> "ArmFiles":
        return cls(records=layout.state / "arm" / "records.json", token=layout.state / "azure-token")


def read_token(path: Path) -> str:
    """Returns the bearer token; creates it on first use, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    if not path.read_text():
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text().strip()
