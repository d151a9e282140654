"""Reads ARM's error bodies: every code, the innermost message, and the policies that refused.

ARM nests: `details` and `innererror` hold the real error, a message may itself be a JSON text, and the names of
policies are in `additionalInfo`. The SDK keeps only some of it, and nothing where a field is null, so the body is read
as it came. What the codes mean is `azure_codes.py`'s to say.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from azure.core.exceptions import HttpResponseError

from api.configs.json_reading import read_json

MESSAGE_MAX: Final = 700
_NODES_MOST: Final = 50
_POLICIES_SHOWN: Final = 3


@dataclass(frozen=True)
class Told:
    """What an error says: codes, outermost first; the innermost message, the one with the numbers; policies' names."""

    codes: tuple[str, ...]
    message: str
    policies: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The message, shortened, with the policies that it lacks."""
        shown = [policy for policy in self.policies if policy not in self.message][:_POLICIES_SHOWN]
        return shortened(self.message) + (f" (policy {'; '.join(shown)})" if shown else "")


def told_by(error: HttpResponseError) -> Told:
    """Reads the body of the answer, or what the SDK has kept of it."""
    nodes = list(_nodes(_body_of(error)))
    codes = tuple(dict.fromkeys(str(node["code"]) for node in nodes if node.get("code")))
    messages = [text for node in nodes if (text := _words_of(node))]
    plain = [message for message in messages if _as_object(message) is None]
    # Where the body has no message, the SDK's own text would say None.
    message = " ".join((plain or [f"no message, {error.reason}" if codes else str(error.message)])[-1].split())
    policies = (name for node in nodes for name in _policies(node))
    return Told(codes, message, tuple(dict.fromkeys(policies)))


def shortened(message: str) -> str:
    """At most MESSAGE_MAX characters: Azure's numbers come first, long tails are logs of machines."""
    return message if len(message) <= MESSAGE_MAX else message[: MESSAGE_MAX - 1] + "…"


def _body_of(error: HttpResponseError) -> Mapping[str, Any]:
    answer: Any = error.response
    try:
        body = read_json(answer.text())
    except (AttributeError, TypeError, ValueError):  # no body was read, or it is no JSON
        return _kept(error.error)
    return body if isinstance(body, dict) else {}


def _kept(parsed: Any) -> Mapping[str, Any]:
    """What the SDK has kept, as the same JSON."""
    if parsed is None:
        return {}
    return {
        "code": parsed.code,
        "message": parsed.message,
        "details": [_kept(detail) for detail in parsed.details or []],
        "innererror": parsed.innererror,
    }


def _nodes(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every error in the body, outer before inner. Keys are in lower case: some services write `Code` and `Message`."""
    pending = deque[Any]([body])
    for _ in range(_NODES_MOST):
        written = pending.popleft() if pending else None
        if not isinstance(written, Mapping):
            continue
        node = {str(key).lower(): value for key, value in written.items()}
        if not isinstance(node.get("error"), Mapping):
            yield node
        details = node.get("details")
        inner = [node.get("error"), node.get("innererror"), _as_object(node.get("message"))]
        pending += [*inner, *(details if isinstance(details, list) else [details])]


def _words_of(node: Mapping[str, Any]) -> str:
    """A message; OData has it as `{lang, value}`."""
    message = node.get("message")
    return str(message.get("value") or "") if isinstance(message, Mapping) else str(message or "")


def _as_object(message: Any) -> Any:
    """The JSON object that a message consists of, or None."""
    if not isinstance(message, str) or not message.lstrip().startswith("{"):
        return None
    try:
        found = read_json(message)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _policies(node: Mapping[str, Any]) -> Iterator[str]:
    """`Allowed sizes, assignment gpu-sizes: wants vmSize`, for each policy that the error names."""
    more = node.get("additionalinfo")
    for one in more if isinstance(more, list) else []:
        info = one.get("info") if isinstance(one, Mapping) else None
        if isinstance(info, Mapping) and (name := _named(info, "policyDefinition")):
            assignment = _named(info, "policyAssignment")
            evaluated = _evaluated(info)
            yield (
                f"{name!r}"
                + (f", assigned as {assignment!r}" if assignment and assignment != name else "")
                + (f": it judges {evaluated}" if evaluated else "")
            )


def _named(info: Mapping[str, Any], what: str) -> str:
    return str(info.get(f"{what}DisplayName") or info.get(f"{what}Name") or "")


def _evaluated(info: Mapping[str, Any]) -> str:
    """The fields that the policy looked at: which of the pool's properties is meant."""
    details = info.get("evaluationDetails")
    expressions = details.get("evaluatedExpressions") if isinstance(details, Mapping) else None
    found = [one for one in expressions if isinstance(one, Mapping)] if isinstance(expressions, list) else []
    paths = (str(one.get("path") or one.get("expression") or "") for one in found)
    return ", ".join(dict.fromkeys(path for path in paths if path and path != "type"))
