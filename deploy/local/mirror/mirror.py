"""One running mirror: its repositories, its rules, and the requests it received. Independent of HTTP.

Access rules and pace survive a restart in a file; faults and the record of requests do not.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, Field

from deploy.local.mirror.access import AccessRules, Token, bearer, check_readable, check_visible, known_user, not_found
from deploy.local.mirror.delivery import Pace
from deploy.local.mirror.faults import Fault
from deploy.local.mirror.links import Signer
from deploy.local.mirror.repository import RepositoryNotFound, Revision, Store
from deploy.local.mirror.routes import Target

REQUESTS_KEPT = 2000


class Rules(BaseModel):
    """What survives a restart."""

    access: AccessRules = Field(default_factory=AccessRules)
    pace: Pace = Field(default_factory=Pace)


class Answered(BaseModel):
    """One completed request. Times are seconds since the epoch; `sent_bytes` counts the body."""

    method: str
    subject: str
    status: int
    began_s: float
    took_s: float
    sent_bytes: int = 0


@dataclass
class Mirror:
    """The state behind the server. `rules_file` None keeps the rules in memory only."""

    store: Store
    rules: Rules = field(default_factory=Rules)
    rules_file: Path | None = None
    page_size: int = 1000
    signer: Signer = field(default_factory=Signer)
    faults: list[Fault] = field(default_factory=list)
    requests: deque[Answered] = field(default_factory=lambda: deque(maxlen=REQUESTS_KEPT))

    @classmethod
    def open(cls, root: Path, *, rules_file: Path | None, pace: Pace | None, page_size: int) -> "Mirror":
        """Reads the rules of an earlier run; `pace` overrides theirs. Raises ValueError for a broken file."""
        kept = rules_file.read_text() if rules_file is not None and rules_file.exists() else "{}"
        rules = Rules.model_validate_json(kept)
        if pace is not None:
            rules.pace = pace
        return cls(Store(root), rules=rules, rules_file=rules_file, page_size=page_size)

    def keep_rules(self) -> None:
        if self.rules_file is not None:
            self.rules_file.parent.mkdir(parents=True, exist_ok=True)
            new = self.rules_file.with_suffix(".new")
            new.touch(mode=0o600)  # tokens are secrets, even made-up ones
            new.write_text(self.rules.model_dump_json(indent=2))
            new.replace(self.rules_file)

    def user(self, authorization: str | None) -> Token | None:
        """Raises Refusal for an undeclared token."""
        return known_user(self.rules.access, bearer(authorization))

    async def revision(self, target: Target, user: Token | None) -> Revision:
        """Returns the target's revision, for this user. Raises Refusal, RevisionNotFound."""
        check = check_readable if target.action in ("resolve", "auth-check") else check_visible
        check(self.rules.access, user, target.repo)
        try:
            return await asyncio.to_thread(self.store.revision, target.kind, target.repo, target.revision)
        except RepositoryNotFound:
            raise not_found(user) from None

    async def signed_revision(self, target: Target) -> Revision:
        """Returns the revision of a signed link. Raises RepositoryNotFound, RevisionNotFound."""
        return await asyncio.to_thread(self.store.revision, target.kind, target.repo, target.revision)

    async def branches(self, target: Target, user: Token | None) -> dict[str, Revision]:
        """Returns every branch of the target's repository, for this user. Raises Refusal."""
        check_visible(self.rules.access, user, target.repo)
        try:
            return await asyncio.to_thread(self.store.branches, target.kind, target.repo)
        except RepositoryNotFound:
            raise not_found(user) from None
