"""Who may see and read a repository, decided as the Hub decides it. Pure functions over the declared tokens and gates.

The Hub's answers, which its clients tell apart: an unknown token is refused everywhere; a private or missing repository
looks the same; a gated one shows its name and file list to anybody and its files to those who were granted access.
"""

from typing import Literal

from pydantic import BaseModel, Field

Visibility = Literal["public", "gated", "private"]


class Token(BaseModel):
    """A declared token: whom it belongs to, and the repositories to which it was granted access."""

    user: str
    repos: list[str] = Field(default_factory=list)


class AccessRules(BaseModel):
    """Repositories (`owner/name`) that are not public, and the tokens that the mirror knows."""

    repos: dict[str, Visibility] = Field(default_factory=dict)
    tokens: dict[str, Token] = Field(default_factory=dict)


class Refusal(Exception):
    """A request that does not get what it asked for: the HTTP status, the Hub's error code, a message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def bearer(authorization: str | None) -> str | None:
    scheme, _, value = (authorization or "").partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


def known_user(rules: AccessRules, token: str | None) -> Token | None:
    """The owner of a token, None without one. Raises Refusal for a token that was never declared."""
    if token is None:
        return None
    if token not in rules.tokens:
        raise Refusal(401, "", "Invalid credentials in Authorization header")
    return rules.tokens[token]


def not_found(user: Token | None) -> Refusal:
    """The Hub does not tell strangers which repositories exist: without a token a missing one is 401, with one 404."""
    if user is None:
        return Refusal(401, "RepoNotFound", "Invalid username or password.")
    return Refusal(404, "RepoNotFound", "Repository not found")


def check_visible(rules: AccessRules, user: Token | None, repo: str) -> None:
    """Raises Refusal when the repository's metadata is not for this user."""
    if rules.repos.get(repo) == "private" and not _granted(user, repo):
        raise not_found(user)


def check_readable(rules: AccessRules, user: Token | None, repo: str) -> None:
    """Raises Refusal when the repository's files are not for this user."""
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
