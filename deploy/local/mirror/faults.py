"""Selects the fault that a request meets, from the rules that a test has set: what each matches, how, how often.

Pure except for counting rules down; `delivery.py` applies the fault on the wire.
"""

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, Field

FaultKind = Literal["slow", "stall", "cut", "corrupt", "html", "status"]


class Fault(BaseModel):
    """One rule. `match` is a glob over `models/owner/name/file` or `api/models/owner/name`; `times` None means always.

    slow: `bytes_per_second`; stall: sends nothing after `after_bytes`; cut: closes the connection after them; corrupt:
    the first byte sent is wrong; html: a login page with status 200; status: `status`, and `retry_after_s`.
    """

    match: str = "*"
    kind: FaultKind
    methods: list[str] = Field(default_factory=lambda: ["GET"])
    times: int | None = Field(default=None, ge=1)
    after_bytes: int = Field(default=0, ge=0)
    bytes_per_second: int = Field(default=64 * 1024, ge=1)
    status: int = Field(default=503, ge=400, le=599)
    retry_after_s: int | None = Field(default=None, ge=0)

    def hits(self, method: str, subject: str) -> bool:
        return method in self.methods and fnmatchcase(subject, self.match)


def take(faults: list[Fault], method: str, subject: str) -> Fault | None:
    """Returns the first matching rule, counted down; a rule that is used up leaves the list."""
    for fault in faults:
        if fault.hits(method, subject):
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    faults.remove(fault)
            return fault
    return None
