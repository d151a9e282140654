"""An API server in memory for what the webhook keeps there: Secrets, and one ValidatingWebhookConfiguration.

Speaks the part of `activities.clients.kubernetes.Cluster` that is used, with resourceVersions that guard writes as the
real one guards them. `known` says whether it is new enough to keep match conditions; older ones drop them without a
word.
"""

import copy
import json
from typing import Any

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Object


class AdmissionCluster:
    """`down` refuses everything; `before_write` is called once, before the next write, as another replica would act."""

    def __init__(self, configuration: Object | None, *, knows_match_conditions: bool = True) -> None:
        self.configuration = copy.deepcopy(configuration)
        self.secrets: dict[str, Object] = {}
        self.down = False
        self.patches = 0
        self.before_write: Any = None
        self._knows = knows_match_conditions
        self._version = 1
        if self.configuration:
            self.configuration["metadata"]["resourceVersion"] = "1"

    async def get(self, kind: str, name: str, namespace: str) -> Object | None:
        self._check_up()
        return copy.deepcopy(self.secrets.get(name))

    async def create(self, kind: str, body: Object) -> Object:
        await self._about_to_write()
        name = body["metadata"]["name"]
        if name in self.secrets:
            raise ApiException(status=409)
        return self._keep(name, body)

    async def patch(self, kind: str, name: str, namespace: str, operations: list[Object]) -> Object:
        await self._about_to_write()
        if name not in self.secrets:
            raise ApiException(status=404)
        patched = copy.deepcopy(self.secrets[name])
        self._apply(patched, operations)
        return self._keep(name, patched)

    async def request(self, method: str, path: str, *, body: Any = None, content_type: str = "") -> Object:
        self._check_up()
        if self.configuration is None:
            raise ApiException(status=404)
        if method == "PATCH":
            assert content_type == "application/json-patch+json"
            await self._about_to_write()
            self._apply(self.configuration, body)
            self._version += 1
            self.patches += 1
            self.configuration["metadata"]["resourceVersion"] = str(self._version)
        return copy.deepcopy(self.configuration)

    def _keep(self, name: str, body: Object) -> Object:
        self._version += 1
        kept = json.loads(json.dumps(body))
        kept["metadata"]["resourceVersion"] = str(self._version)
        self.secrets[name] = kept
        return copy.deepcopy(kept)

    def _apply(self, target: Object, operations: list[Object]) -> None:
        for operation in operations:
            *way, last = (int(part) if part.isdigit() else part for part in operation["path"].strip("/").split("/"))
            place: Any = target
            for part in way:
                place = place[part]
            if operation["op"] == "test":
                if place[last] != operation["value"]:
                    raise ApiException(status=422)
            elif last != "matchConditions" or self._knows:
                place[last] = operation["value"]

    async def _about_to_write(self) -> None:
        self._check_up()
        act, self.before_write = self.before_write, None
        if act:
            await act()

    def _check_up(self) -> None:
        if self.down:
            raise ApiException(status=503)
