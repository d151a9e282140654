"""Reads the policy that `--policy` names, for the commands that judge by it."""

from pathlib import Path

from api.policy.document import Policy
from api.policy.reading import PolicyInvalid, parse_policy


class PolicyUnreadable(ValueError):
    """The message names the file, and the key that is wrong."""


def read_policy(file: str | None) -> Policy | None:
    """Returns the policy in a file, None if no file is named. Raises PolicyUnreadable."""
    if file is None:
        return None
    try:
        return parse_policy(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, PolicyInvalid) as error:
        raise PolicyUnreadable(f"the policy {file} cannot be read: {error}") from None
