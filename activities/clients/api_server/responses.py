"""What an API server's response says: an object, an event of a watch, a refusal. Sends nothing."""

import json
from typing import Any

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.transport import LARGEST_REFUSAL, AnswerInvalid, AnswerTooLarge, read_bounded
from api.configs.json_reading import read_json


def is_of_a_starting_server(refusal: ApiException) -> bool:
    """Whether a server that has just started may answer a valid request like this: with 403, or 404 of the path itself.

    A 404 of an object is a Status whose details name the object.
    """
    return refusal.status == 403 or (refusal.status == 404 and not _names_an_object(refusal.body or ""))


def parse_event(line: bytes) -> tuple[str, dict[str, Any]]:
    """Returns type and object of a watch's line. Raises AnswerInvalid if it is no event."""
    event = parse_object(line)
    kind, item = event.get("type"), event.get("object")
    if not isinstance(kind, str) or not isinstance(item, dict):
        raise AnswerInvalid("a watch has a line that is not an event")
    return kind, item


def parse_object(text: bytes) -> dict[str, Any]:
    """Parses what an API server sends. Raises AnswerInvalid if it is no JSON object: what is between it and us may send
    another text with the status 200."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise AnswerInvalid("the response is not a JSON object")
    return found


async def read_refusal(response: Any) -> ApiException | None:
    """Returns why a request was refused, None if it was not; without a body that is too long to be the API server's.
    Raises aiohttp.ClientError if the body does not come."""
    if response.status <= 299:
        return None
    try:
        body = (await read_bounded(response.response, LARGEST_REFUSAL)).decode(errors="replace")
    except AnswerTooLarge:
        body = ""
    return ApiException(status=response.status, reason=response.reason, body=body)


def _names_an_object(body: str) -> bool:
    try:
        status = read_json(body)
    except ValueError:
        return False
    return isinstance(status, dict) and bool((status.get("details") or {}).get("name"))
