"""How requests get to Azure: one session with one TLS context, bounded waits, a bounded number of repeats, all counted.

Two SDK clients and the token client send through it. Which requests are sent is decided elsewhere.
"""

import logging
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import aiohttp
from azure.core.exceptions import AzureError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, AsyncRetryPolicy
from azure.core.pipeline.transport import AioHttpTransport
from prometheus_client import Counter

CONNECT_S: Final = 5.0
READ_S: Final = 15.0
"""Without a byte. With every repeat it is less than the start-to-close of an activity that reads."""
WRITE_S: Final = 60.0
"""ARM answers a write only when the resource provider has taken it on; activities that write send heartbeats."""
REPEATS: Final = 2
"""The SDK repeats single lost requests; longer outages are retried by Temporal, which records them."""
LONGEST_PAUSE_S: Final = 30.0
"""Between two repeats, if ARM asks for it. If it asks for more, Temporal waits: no place is kept, people see why."""
_BACKOFF_MAX_S: Final = 5
_REQUEST_LOG: Final = "azure.core.pipeline.policies.http_logging_policy"

REQUESTS: Final = Counter(
    "modelyard_azure_requests", "Requests sent to Azure Resource Manager, repeats included", ["method", "status"]
)
"""`status` is the class of the answer: 2xx, 4xx, 5xx; `lost` where none came."""
REPEATED: Final = Counter("modelyard_azure_retries", "Requests that the Azure SDK sent again", ["method"])


async def open_transport(ca_file: Path | None, stack: AsyncExitStack) -> AioHttpTransport:
    """Returns the transport of this process, which `stack` closes: connections are kept, cookies are not.

    A TLS context of ours, because the SDK makes one for each request from a path, and nothing is reused between two.
    It is made once: a CA that changes is read by the next start. Raises ValueError for a file without certificates.
    """
    logging.getLogger(_REQUEST_LOG).setLevel(logging.WARNING)  # else twenty lines for every request
    connector = aiohttp.TCPConnector(ssl=_context(ca_file) if ca_file else True)
    session = aiohttp.ClientSession(
        connector=connector,
        trust_env=True,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # the SDK does it
    )
    await stack.enter_async_context(session)
    return AioHttpTransport(session=session, session_owner=False, connection_timeout=CONNECT_S, read_timeout=READ_S)


def pipeline_options(transport: AioHttpTransport) -> dict[str, Any]:
    """What an SDK client is made with, so that it sends through the transport."""
    return {"transport": transport, "retry_policy": FewRepeats(), "per_retry_policies": [Counted()]}


class FewRepeats(AsyncRetryPolicy[Any, Any]):
    """The SDK's repeats, but not after any Retry-After: it would sleep for minutes inside a call."""

    def __init__(self) -> None:
        super().__init__(retry_total=REPEATS, retry_backoff_max=_BACKOFF_MAX_S)

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Whether an answer is asked for again."""
        pause = self.get_retry_after(response) or 0.0
        return pause <= LONGEST_PAUSE_S and bool(super().is_retry(settings, response))


class Counted(AsyncHTTPPolicy[Any, Any]):
    """Counts what is really sent, and gives writes more time."""

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Sends one request once."""
        method = request.http_request.method
        if method != "GET":
            request.context.options.setdefault("read_timeout", WRITE_S)
        if request.context.get("retry_count"):
            REPEATED.labels(method).inc()
        try:
            response = await self.next.send(request)
        except AzureError:
            REQUESTS.labels(method, "lost").inc()
            raise
        REQUESTS.labels(method, f"{response.http_response.status_code // 100}xx").inc()
        return response


def _context(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # SSLError is one
        message = f"MODELYARD_AZURE_CA_FILE is {ca_file}, which is no file of PEM certificates: {error}"
        raise ValueError(message) from error
