"""Access control as on the Hub: who may see and read a repository. Pure functions over declared tokens and gates.

Clients distinguish the Hub's responses: an unknown token is refused everywhere; a private repository looks like a
missing one; a gated one shows its name and file list to everyone and its files to users who were granted access.
"""

from typing import Literal

from pydantic import BaseModel, Field

Visibility = Literal["public", "gated", "private"]


class Token(BaseModel):
    """A declared token: its user, and the repositories to which it was granted access."""

    user: str
    repos: list[str] = Field(default_factory=list)


class AccessRules(BaseModel):
    """Repositories (`owner/name`) that are not public, and the tokens that the mirror knows."""

    repos: dict[str, Visibility] = Field(default_factory=dict)
    tokens: dict[str, Token] = Field(default_factory=dict)


class Refusal(Exception):
    """A refused request: the HTTP status, the Hub's error code, a message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def bearer(authorization: str | None) -> str | None:
    scheme, _, value = (authorization or "").partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


def known_user(rules: AccessRules, token: str | None) -> Token | None:
    """Returns the owner of a token, None without a token. Raises Refusal for an undeclared token."""
    if token is None:
        return None
    if token not in rules.tokens:
        raise Refusal(401, "", "Invalid credentials in Authorization header")
    return rules.tokens[token]


def not_found(user: Token | None) -> Refusal:
    """Returns 401 without a token and 404 with one: the Hub does not reveal to strangers which repositories exist."""
    if user is None:
        return Refusal(401, "RepoNotFound", "Invalid username or password.")
    return Refusal(404, "RepoNotFound", "Repository not found")


def check_visible(rules: AccessRules, user: Token | None, repo: str) -> None:
    """Raises Refusal if this user may not see the repository's metadata."""
    if rules.repos.get(repo) == "private" and not _granted(user, repo):
        raise not_found(user)


def check_readable(rules: AccessRules, user: Token | None, repo: str) -> None:
    """Raises Refusal if this user may not read the repository's files."""
    check_visible(rules, user, repo)
    if rules.repos.get(repo) != "gated" or _granted(user, repo):
        return
    if user is None:
        message = f"Access to {repo} is restricted. You must have access to it and be authenticated. Please log in."
        raise Refusal(401, "GatedRepo", message)
    message = f"Access to {repo} is restricted and you are not in the authorized list. Ask for access on its page."
    raise Refusal(403, "GatedRepo", message)


def _granted(user: Token | None, repo: str) -> bool:
    return user is not None and repo in user.repos
