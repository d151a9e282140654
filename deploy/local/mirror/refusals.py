"""Formats refusals as the Hub does: `X-Error-Code` and `X-Error-Message`, which clients turn into exceptions.

The code that raises an error decides which refusal it is.
"""

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from deploy.local.mirror.access import Refusal
from deploy.local.mirror.delivery import RangeNotSatisfiable
from deploy.local.mirror.repository import EntryNotFound, RepositoryNotFound, RevisionNotFound
from deploy.local.mirror.routes import NoSuchAddress


def refused(refusal: Refusal, *, commit: str | None = None) -> Response:
    """Builds the response; `commit` lets a client remember that the file is missing in that revision."""
    headers = {"X-Error-Message": refusal.message.encode("ascii", errors="replace").decode()}
    if refusal.code:
        headers["X-Error-Code"] = refusal.code
    if commit:
        headers["X-Repo-Commit"] = commit
    return JSONResponse({"error": refusal.message}, status_code=refusal.status, headers=headers)


def refusal_of(error: Exception) -> Refusal:
    """Returns the refusal for one of our errors; raises any other error again."""
    match error:
        case Refusal():
            return error
        case NoSuchAddress():
            return Refusal(404, "", str(error))
        case RepositoryNotFound():
            return Refusal(404, "RepoNotFound", str(error))
        case RevisionNotFound():
            return Refusal(404, "RevisionNotFound", str(error))
        case EntryNotFound():
            return Refusal(404, "EntryNotFound", str(error))
        case RangeNotSatisfiable():
            return Refusal(416, "", str(error))
        case _:
            raise error


def register_refusals(app: FastAPI) -> None:
    async def handle(_: Request, error: Exception) -> Response:
        return refused(refusal_of(error), commit=getattr(error, "commit", None))

    for kind in (Refusal, NoSuchAddress, RepositoryNotFound, RevisionNotFound, EntryNotFound, RangeNotSatisfiable):
        app.add_exception_handler(kind, handle)
