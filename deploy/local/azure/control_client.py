"""Client of a running emulator's control endpoint, for the command line, benches and chaos tests.

Synchronous, because its callers are. `http/control_routes.py` defines the endpoint.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from deploy.local.azure.files import ArmFiles
from deploy.local.stack.choices import Choices, recall

REQUEST_S = 10.0


class ControlFailed(Exception):
    """The emulator cannot be reached, or refused; the message says which and what to do."""


@dataclass(frozen=True)
class Address:
    """Where an emulator listens, the CA that signed its certificate, the token it requires."""

    url: str
    ca: Path
    token: str

    @classmethod
    def of_instance(cls, instance: str) -> Self:
        """Returns the emulator of a local stack. Raises ControlFailed if it was never started."""
        layout = (recall(instance) or Choices()).layout(instance)
        token, ca = ArmFiles.of(layout).token, layout.pki / "ca.crt"
        if not (token.exists() and ca.exists()):
            raise ControlFailed(f"instance {instance} has no ARM emulator yet: run `modelyard local up` first")
        return cls(url=layout.arm_url, ca=ca, token=token.read_text().strip())


class ControlClient:
    """One emulator. Every method raises ControlFailed."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def faults(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._request("GET", "faults")["faults"]
        return found

    def add_fault(self, kind: str, **narrowed: Any) -> dict[str, Any]:
        """Sets a fault; `narrowed` are fields of `faults.Fault`, where None selects the default."""
        given = {name: value for name, value in narrowed.items() if value is not None}
        return self._request("POST", "faults", {"kind": kind} | given)

    def clear_faults(self, fault_id: str | None = None) -> int:
        answer = self._request("DELETE", f"faults/{fault_id}" if fault_id else "faults")
        return int(answer["cleared"])

    def change_settings(self, **settings: Any) -> dict[str, Any]:
        return self._request("PATCH", "settings", settings)

    def change_cluster(self, **state: str) -> dict[str, Any]:
        """`power_state` Running or Stopped, `provisioning_state` Succeeded, Upgrading, ..."""
        return self._request("PATCH", "cluster", state)

    def stop_cluster(self) -> None:
        """Begins what `az aks stop` does: `state` says when it has ended."""
        self._request("POST", "cluster/stop")

    def start_cluster(self) -> None:
        """Begins what `az aks start` does: `state` says when it has ended."""
        self._request("POST", "cluster/start")

    def hasten_operations(self) -> int:
        """Makes every operation under way due now; returns how many there are."""
        return int(self._request("POST", "operations/hasten")["hastened"])

    def state(self) -> dict[str, Any]:
        return self._request("GET", "state")

    def calls(self) -> dict[str, int]:
        """Returns how often each "METHOD route" was called."""
        counts: dict[str, int] = self._request("GET", "calls")["calls"]
        return counts

    def reset_calls(self) -> None:
        self._request("DELETE", "calls")

    def _request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=str(self._address.ca))
        headers = {"Authorization": f"Bearer {self._address.token}"}
        try:
            # Ignores the user's proxy settings: a proxy cannot reach an address of this machine.
            with httpx.Client(verify=context, headers=headers, timeout=REQUEST_S, trust_env=False) as client:
                response = client.request(method, f"{self._address.url}/_control/{path}", json=body)
        except httpx.HTTPError as lost:
            where = f"the ARM emulator does not answer at {self._address.url} ({lost})"
            raise ControlFailed(f"{where}: check `modelyard local status`") from lost
        if response.is_error:
            raise ControlFailed(_refusal(response))
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer


def _refusal(response: httpx.Response) -> str:
    content = response.json() if "json" in response.headers.get("content-type", "") else {}
    return str(content.get("detail") or content.get("error") or f"HTTP {response.status_code}: {response.text}")
