"""Why Temporal could not be used, and what to change: one table from what the SDK reports to the fix.

Which settings there are is `settings.py`'s affair and docs/temporal.md's; who ends or tries again is the callers'.
"""

from collections.abc import Sequence
from typing import Final

from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from process.connection.target import Target
from process.exit import CannotStart

_CA: Final = "name the CA of the server's certificate with TEMPORAL_TLS_SERVER_CA_CERT_PATH"
_ADDRESS: Final = "correct MODELYARD_TEMPORAL_ADDRESS (or the profile's `address`), as HOST:PORT"
FIXES: Final[Sequence[tuple[str, str]]] = (
    ("dns error", f"no such host: {_ADDRESS}"),
    ("tcp connect error", f"nothing listens there: start Temporal, open the firewall, or {_ADDRESS}"),
    ("UnknownIssuer", f"the server's certificate is signed by another CA: {_CA}"),
    ("BadSignature", f"the server's certificate is signed by another CA: {_CA}"),
    ("NotValidForName", "the server's certificate is for other names: set TEMPORAL_TLS_SERVER_NAME to one of them"),
    ("InvalidCertificate(Expired", "the server's certificate has expired: renew it, or set this machine's clock"),
    ("InvalidContentType", "the server speaks no TLS at this port: set TEMPORAL_TLS=false, or correct the address"),
    ("KeyMismatch", "client certificate and key do not belong together: mount both from one Secret"),
    ("PrivateKeyParseError", "the file of TEMPORAL_TLS_CLIENT_KEY_PATH has no private key: it must be unencrypted PEM"),
    ("NoCertificatesPresented", "the file of the client certificate has none: it must be PEM"),
    ("Must have both", "give both TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH, or neither"),
)
"""What the SDK's core (tonic and rustls, temporalio 1.35) puts into its messages, and what to change."""
REFUSED: Final = ("Unauthenticated", "PermissionDenied")
CLOSED: Final = ("connection closed", "transport error", "received fatal alert", "broken pipe")
"""A server that wants TLS, or that refuses a client certificate, says so by closing the connection."""


class NotConnected(CannotStart):
    """Temporal cannot be used as it is configured, or does not answer. The message names the fix and no secret."""


def not_connected(error: BaseException, target: Target) -> NotConnected:
    """Returns the error that tells where Temporal was looked for, what to change, and what the SDK said."""
    place = f"Temporal at {target.address}, namespace {target.namespace}"
    said = " ".join(str(error).split())
    return NotConnected(f"{place}: {_fix(error, said, target)} ({said or type(error).__name__})")


def _fix(error: BaseException, said: str, target: Target) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in time: start Temporal, open the firewall, or {_ADDRESS}"
    if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
        return (
            "there is no such namespace: set MODELYARD_TEMPORAL_NAMESPACE, or make it with "
            f"`temporal operator namespace create --namespace {target.namespace} --retention 30d`"
        )
    refused = isinstance(error, RPCError) and error.status in (
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.PERMISSION_DENIED,
    )
    if refused or any(word in said for word in REFUSED):
        return _refused(target)
    found = [fix for words, fix in FIXES if words in said]
    if found:
        return found[0]
    if any(words in said for words in CLOSED):
        return _closed(target)
    return f"no connection: check the TLS settings, or {_ADDRESS}"


def _refused(target: Target) -> str:
    if target.api_key:
        return (
            "the API key is refused: it is wrong, has expired, or may not use this namespace. Write a new one to "
            "MODELYARD_TEMPORAL_API_KEY_FILE (or set TEMPORAL_API_KEY)"
        )
    return "the server wants a credential: set MODELYARD_TEMPORAL_API_KEY_FILE, or a client certificate"


def _closed(target: Target) -> str:
    if not target.tls:
        return f"the server hung up, as one does that wants TLS: set TEMPORAL_TLS=true and {_CA}"
    if isinstance(target.tls, TLSConfig) and target.tls.client_cert:
        return "the server hung up, as one does that refuses the client certificate: renew it, from the CA it trusts"
    return (
        "the server hung up, as one does that wants a client certificate: set TEMPORAL_TLS_CLIENT_CERT_PATH and "
        "TEMPORAL_TLS_CLIENT_KEY_PATH"
    )
