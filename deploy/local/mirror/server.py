"""The mirror's HTTP server: maps requests to responses with the Hub's statuses and headers.

`routes.py` parses paths, `access.py` controls access, `answers.py` builds bodies, `delivery.py` sends files,
`control.py` serves `/_control/`.
"""

import time
from typing import Any
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from deploy.local.mirror import answers
from deploy.local.mirror.access import Refusal, Token
from deploy.local.mirror.control import control_router
from deploy.local.mirror.delivery import Delivery, span_of
from deploy.local.mirror.faults import Fault, take
from deploy.local.mirror.git_objects import Blob
from deploy.local.mirror.mirror import Mirror
from deploy.local.mirror.recording import Recording
from deploy.local.mirror.refusals import refused, register_refusals
from deploy.local.mirror.repository import Revision, parameters
from deploy.local.mirror.routes import Target, parse

LOGIN_PAGE = "<!doctype html><html><head><title>Sign in</title></head><body>Sign in to use this network</body></html>"
LARGEST_PAGE = 1000
BODY_LIMIT_BYTES = 1024 * 1024


def build_app(mirror: Mirror) -> FastAPI:
    """Returns the mirror as an ASGI application."""
    app = FastAPI(title="Modelyard mirror", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Recording, mirror=mirror)
    app.include_router(control_router(mirror))
    register_refusals(app)

    @app.get("/healthz")
    def healthz() -> dict[str, Any]:
        return {"repositories": [f"{kind}/{repo}" for kind, repo in mirror.store.repositories()]}

    @app.get("/api/whoami-v2")
    def whoami(request: Request) -> Response:
        user = mirror.user(request.headers.get("authorization"))
        if user is None:
            raise Refusal(401, "", "Invalid username or password.")
        return JSONResponse(answers.whoami(user.user))

    @app.api_route("/{anything:path}", methods=["GET", "HEAD", "POST"])
    async def hub(request: Request) -> Response:
        target = parse(request.scope["raw_path"].decode("ascii", errors="replace"))
        if target.action == "download":
            return await _download(mirror, request, target)
        user = mirror.user(request.headers.get("authorization"))
        if target.action == "resolve":
            return await _resolve(mirror, request, target, user)
        fault = take(mirror.faults, request.method, target.subject)
        return _answer_of(fault) or await _api(mirror, request, target, user)

    return app


async def _api(mirror: Mirror, request: Request, target: Target, user: Token | None) -> Response:
    if target.action == "refs":
        return JSONResponse(answers.refs(await mirror.branches(target, user)))
    revision = await mirror.revision(target, user)
    match target.action:
        case "info":
            return JSONResponse(_info(mirror, revision, sizes=_flag(request, "blobs")))
        case "tree":
            return _page(mirror, request, revision, target.path)
        case "paths-info":
            paths, expand = await _paths_asked(request)
            return JSONResponse(answers.paths_info(revision, paths, expand=expand))
        case _:
            return JSONResponse({})  # auth-check: the status is the answer


def _info(mirror: Mirror, revision: Revision, *, sizes: bool) -> dict[str, Any]:
    card = revision.file("README.md").read_text() if "README.md" in revision.blobs else ""
    visibility = mirror.rules.access.repos.get(revision.repo, "public")
    return answers.info(
        revision,
        gated=visibility == "gated",
        private=visibility == "private",
        sizes=sizes,
        parameters=parameters(revision),
        card=card,
    )


def _page(mirror: Mirror, request: Request, revision: Revision, folder: str) -> Response:
    """Returns one page of a folder's entries; the Link header names the next one."""
    entries = answers.tree(revision, folder, recursive=_flag(request, "recursive"), expand=_flag(request, "expand"))
    first = _number(request, "cursor", 0)
    size = min(_number(request, "limit", mirror.page_size), LARGEST_PAGE) or 1
    response = JSONResponse(entries[first : first + size])
    if first + size < len(entries):
        query = urlencode({**request.query_params, "cursor": first + size})
        response.headers["Link"] = f'<{_address(request)}{request.scope["raw_path"].decode()}?{query}>; rel="next"'
    return response


async def _resolve(mirror: Mirror, request: Request, target: Target, user: Token | None) -> Response:
    """Serves files at public addresses like the Hub: sends small ones, redirects to a signed link for large ones."""
    revision = await mirror.revision(target, user)
    blob = revision.blob(target.path)
    headers = _file_headers(revision, blob)
    if blob.large:
        if request.method == "HEAD" and (answer := _answer_of(take(mirror.faults, "HEAD", target.subject))):
            return answer
        link = mirror.signer.link(target.kind, target.repo, revision.commit, target.path, now_s=int(time.time()))
        return RedirectResponse(_address(request) + link, status_code=302, headers=headers)
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return _deliver(mirror, request, target, revision, take(mirror.faults, request.method, target.subject))


async def _download(mirror: Mirror, request: Request, target: Target) -> Response:
    """Serves a large file at its signed link, which is the authorization: no token is required.

    The link is on this host, so clients query it for the file's metadata again: it carries the same headers.
    """
    query = request.query_params
    expires, signature = query.get("expires", ""), query.get("signature", "")
    mirror.signer.check(request.scope["raw_path"].decode(), expires, signature, now_s=int(time.time()))
    revision = await mirror.signed_revision(target)
    # For a HEAD, the fault was applied before the redirect.
    fault = take(mirror.faults, "GET", target.subject) if request.method == "GET" else None
    return _deliver(mirror, request, target, revision, fault)


def _deliver(mirror: Mirror, request: Request, target: Target, revision: Revision, fault: Fault | None) -> Response:
    if answer := _answer_of(fault):
        return answer
    blob = revision.blob(target.path)
    headers = _file_headers(revision, blob)
    span = span_of(request.headers.get("range"), blob.size)
    name = target.path.rpartition("/")[2].replace('"', "")
    headers |= {"Content-Type": "application/octet-stream", "Content-Disposition": f'inline; filename="{name}"'}
    return Delivery(revision.file(target.path), span, headers, pace=mirror.rules.pace, fault=fault)


def _answer_of(fault: Fault | None) -> Response | None:
    """Returns the whole response if a fault replaces it, None if it only affects the sending."""
    if fault is None or fault.kind not in ("html", "status"):
        return None
    if fault.kind == "html":
        return HTMLResponse(LOGIN_PAGE)
    response = refused(Refusal(fault.status, "", "A fault that was set"))
    if fault.retry_after_s is not None:
        response.headers["Retry-After"] = str(fault.retry_after_s)
    return response


def _file_headers(revision: Revision, blob: Blob) -> dict[str, str]:
    headers = {"X-Repo-Commit": revision.commit, "ETag": f'"{blob.etag}"', "Accept-Ranges": "bytes"}
    if blob.large:
        headers |= {"X-Linked-Size": str(blob.size), "X-Linked-ETag": f'"{blob.etag}"'}
    return headers


async def _paths_asked(request: Request) -> tuple[list[str], bool]:
    body = await request.body()
    if len(body) > BODY_LIMIT_BYTES:
        raise Refusal(413, "", f"the body has {len(body)} bytes, {BODY_LIMIT_BYTES} are allowed")
    if request.headers.get("content-type", "").startswith("application/json"):
        asked = await request.json()
        return [str(path) for path in asked.get("paths", [])], bool(asked.get("expand", False))
    form = parse_qs(body.decode())
    return form.get("paths", []), form.get("expand", ["false"])[0].lower() == "true"


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "false").lower() in ("true", "1")


def _number(request: Request, name: str, otherwise: int) -> int:
    value = request.query_params.get(name, str(otherwise))
    if not value.isdecimal():
        raise Refusal(400, "", f"{name} must be a number, not {value!r}")
    return int(value)


def _address(request: Request) -> str:
    return str(request.base_url).rstrip("/")
