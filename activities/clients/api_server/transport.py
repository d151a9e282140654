"""Sends every request to the API server in one way: no redirect is followed, no answer is unpacked, each is bounded.

What answers is not always the API server: its proxy passes on what a pod sends. Built into the client's session, so
that a call of the vendor's own code (`LeaseLock`) is held to the same. What is sent is in `requests.py`.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio.client.exceptions import ApiException

LARGEST_OBJECT: Final = 16 << 20
"""Bytes of an object, of a page of a list and of an event of a watch. etcd takes 1.5 MiB of an object
(`--max-request-bytes`), which as JSON can be several times as long: `<` is written as `\\u003c`."""
LARGEST_FROM_POD: Final = 1 << 20
"""Bytes that a pod may answer: what is asked are a completion of one token and a training's figures."""
LARGEST_TEXT: Final = 1 << 20
"""Bytes of what is no object: a log, of which less is asked for."""
LARGEST_REFUSAL: Final = 256 << 10
"""Bytes of an error's body; the body of a longer one is left out."""


class AnswerInvalid(aiohttp.ClientPayloadError):
    """The answer came and cannot be used. The message names the kind of fault and quotes nothing."""


class AnswerTooLarge(AnswerInvalid):
    """The answer is longer than any that was asked for; what had come of it is dropped."""


class BoundedResponse(aiohttp.ClientResponse):
    """A response whose body is never read beyond LARGEST_OBJECT, whoever reads it."""

    async def read(self) -> bytes:
        """Returns the body. Raises AnswerTooLarge."""
        return await read_bounded(self, LARGEST_OBJECT)


def guard(api: kubernetes_client.ApiClient) -> None:
    """Makes the client's session, which its first request opens, send and read in this way only."""
    given = getattr(api.configuration, "client_session_kwargs", None) or {}
    api.configuration.client_session_kwargs = given | {
        "middlewares": (_refuse_surprises,),
        "response_class": BoundedResponse,
        "auto_decompress": False,
        "read_bufsize": 2**16,  # what may wait unread, whatever is read in the end
    }
    headers: dict[str, str] = api.default_headers
    headers["Accept-Encoding"] = "identity"


async def read_bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Returns the whole body. Raises AnswerTooLarge if it has more than `most` bytes."""
    body = bytearray()
    try:
        if (response.content_length or 0) > most:
            raise AnswerTooLarge(f"the answer has more than {most} bytes")
        async for part in response.content.iter_any():
            body += part
            if len(body) > most:
                raise AnswerTooLarge(f"the answer has more than {most} bytes")
    except BaseException:
        response.close()
        raise
    return bytes(body)


async def read_lines(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    """Yields line by line, also the last one if it has no end. Raises AnswerTooLarge for a longer one than `most`."""
    rest = bytearray()
    async for part in response.content.iter_any():
        *lines, left = part.split(b"\n")
        for line in lines:
            yield bytes(rest + line + b"\n")
            rest.clear()
        rest += left
        if len(rest) > most:
            raise AnswerTooLarge(f"a line of a watch has more than {most} bytes")
    if rest:
        yield bytes(rest)


async def _refuse_surprises(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Ends redirects before aiohttp follows them: they would be sent to the API server itself, with our credentials.
    Neither where one leads to nor its text is told, as whoever sent it is a stranger."""
    response = await handler(request)
    problem: Any = None
    if 300 <= response.status <= 399:
        problem = ApiException(status=response.status, reason="a redirect, and none is followed")
    elif response.headers.get("Content-Encoding", "identity").lower() != "identity":
        problem = AnswerInvalid("the answer is compressed although no compression was asked for")
    if problem is not None:
        response.close()
        raise problem
    return response
