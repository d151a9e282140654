"""Exchanges a workload identity for a refresh token of an Azure registry, in two steps and without a password.

Exchanges the pod's token for an Entra token (client assertion, RFC 7523), then that for the registry's token at
/oauth2/exchange. The Entra token is valid for every registry of the identity, so it is sent to Azure registries only.
"""

from pathlib import Path
from typing import Any, Final

import httpx

from api.configs.json_reading import read_json
from api.pods.registries import AzureIdentity
from runtime.registry.faults import TRANSPORT_ERRORS, RegistryFault, Trouble, fault_of_transport

_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def refresh_token(http: httpx.Client, registry: str, service: str, identity: AzureIdentity) -> str:
    """Returns the token that replaces a password at `registry` (a URL without a path). Raises RegistryFault."""
    form = {
        "grant_type": "access_token",
        "service": service,
        "tenant": identity.tenant_id,
        "access_token": _entra_token(http, identity),
    }
    doing = f"exchanging the workload identity {identity.client_id} for a token of the registry"
    return _token(http, f"{registry}/oauth2/exchange", form, "refresh_token", doing)


def _entra_token(http: httpx.Client, identity: AzureIdentity) -> str:
    doing = f"asking Entra for a token of the workload identity {identity.client_id}"
    try:
        assertion = Path(identity.token_file).read_text().strip()
    except OSError as error:
        fix = "label the pod azure.workload.identity/use and let AKS's workload identity mount it"
        raise RegistryFault(Trouble.FORBIDDEN, f"{doing}: {identity.token_file} is not there: {fix}") from error
    form = {
        "grant_type": "client_credentials",
        "client_id": identity.client_id,
        "scope": identity.scope,
        "client_assertion_type": _ASSERTION,
        "client_assertion": assertion,
    }
    return _token(http, f"{identity.authority}/{identity.tenant_id}/oauth2/v2.0/token", form, "access_token", doing)


def _token(http: httpx.Client, url: str, form: dict[str, str], wanted: str, doing: str) -> str:
    host = httpx.URL(url).host
    try:
        response = http.post(url, data=form, follow_redirects=False)
    except TRANSPORT_ERRORS as error:
        raise fault_of_transport(error, doing, host) from None
    # The body may echo the request's secrets, so only Entra's short error code is reported.
    fields = _json_object(response)
    if response.is_success and isinstance(fields.get(wanted), str):
        return str(fields[wanted])
    trouble = Trouble.UNREACHABLE if response.status_code >= 500 or response.status_code == 429 else Trouble.FORBIDDEN
    code = fields.get("error")
    why = f" ({code})" if isinstance(code, str) and code.replace("_", "").isalnum() and len(code) < 60 else ""
    raise RegistryFault(trouble, f"{doing}: {host} answered {response.status_code}{why}")


def _json_object(response: httpx.Response) -> dict[str, Any]:
    try:
        fields = read_json(response.content)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
