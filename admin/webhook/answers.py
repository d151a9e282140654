"""Builds the AdmissionReview responses, of bounded size for any request.

Every response is HTTP 200, including denials: the API server treats any other status as a broken webhook, and the
message would be lost. Messages contain user input, so they are truncated and control characters are escaped.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from admin.webhook.admission_review import UID_LIMIT, VERSION
from api.validation import Problem

LINE_LIMIT: Final = 2000
"""Characters of one problem."""
PROBLEMS_SHOWN: Final = 20
WARNING_LIMIT: Final = 256
"""Characters: the API server cuts longer warnings (Kubernetes, "Dynamic Admission Control")."""
WARNINGS_SHOWN: Final = 10

REASONS: Final = {
    400: "BadRequest",
    408: "Timeout",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def allowed(uid: str, warnings: Sequence[str] = ()) -> bytes:
    """Allows the request, with warnings that kubectl shows."""
    return _review({"uid": uid, "allowed": True} | _warnings(warnings))


def refused(uid: str, problems: Sequence[Problem], warnings: Sequence[str] = ()) -> bytes:
    """Denies the request because of these problems: one line each, in KAITO's form `MESSAGE: PATH`."""
    lines = [_line(problem) for problem in problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        lines.append(f"and {len(problems) - PROBLEMS_SHOWN} more")
    return _no(uid, 422, "\n".join(lines), _warnings(warnings))


def unreadable(uid: str, code: int, message: str) -> bytes:
    """Denies a request that cannot be validated."""
    return _no(uid[:UID_LIMIT], code, _shown(message, LINE_LIMIT), {})


def _line(problem: Problem) -> str:
    path = _shown(problem.path, WARNING_LIMIT)
    message = _shown(problem.message, LINE_LIMIT)
    return f"{message}: {path}" if path else message


def _no(uid: str, code: int, message: str, more: dict[str, Any]) -> bytes:
    status = {"status": "Failure", "code": code, "reason": REASONS[code], "message": message}
    return _review({"uid": uid, "allowed": False, "status": status} | more)


def _warnings(warnings: Sequence[str]) -> dict[str, Any]:
    shown = [_shown(warning, WARNING_LIMIT) for warning in warnings[:WARNINGS_SHOWN]]
    return {"warnings": shown} if shown else {}


def _review(response: dict[str, Any]) -> bytes:
    # ASCII: user input may contain an unpaired surrogate, which UTF-8 cannot encode.
    return json.dumps({"apiVersion": VERSION, "kind": "AdmissionReview", "response": response}).encode()


def _shown(text: str, limit: int) -> str:
    cut = text if len(text) <= limit else f"{text[: limit - 1]}…"
    shown = "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in cut)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
