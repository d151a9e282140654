"""The cluster as ARM shows it: reads, and writes that are validated and then begun as operations.

`pools/rules.py`, `pools/quota.py` and `fault_effects.py` validate; `operations.py` executes; `http/routes.py` serves.
"""

import random
import time
import uuid
from dataclasses import dataclass
from typing import Any

from deploy.local.azure import errors, fault_effects, offers
from deploy.local.azure.faults import Fault, Target, standing, take
from deploy.local.azure.identity import Identity
from deploy.local.azure.operations import Operations, new_etag
from deploy.local.azure.pools import quota, rules, shape
from deploy.local.azure.records import Operation, OperationKind, Pool, Records, RecordsFile, ScheduledEvent

SYSTEM_POOL = "system"


@dataclass(frozen=True)
class Preconditions:
    """A write's If-Match and If-None-Match, as received."""

    if_match: str | None = None
    if_none_match: str | None = None


class Service:
    """One cluster and its node pools."""

    def __init__(self, file: RecordsFile, operations: Operations, identity: Identity) -> None:
        self._file, self._operations, self.identity = file, operations, identity
        if SYSTEM_POOL not in self.records.pools:
            self._found_system_pool()

    @property
    def records(self) -> Records:
        return self._file.records

    def cluster(self) -> dict[str, Any]:
        return shape.cluster_resource(self.records, self.identity, *self._cluster_state())

    def pools(self) -> list[dict[str, Any]]:
        return [shape.pool_resource(pool, self.records, self.identity) for pool in self.records.pools.values()]

    def pool(self, name: str) -> dict[str, Any]:
        return shape.pool_resource(self._existing(name), self.records, self.identity)

    def skus(self, query: str | None) -> list[dict[str, Any]]:
        return offers.listing(self.identity.location, self.records.faults, query)

    def usages(self) -> list[dict[str, Any]]:
        return quota.usages(self.records)

    def operation(self, operation_id: str) -> Operation | None:
        return self.records.operations.get(operation_id)

    def put_pool(self, name: str, asked: dict[str, Any], conditions: Preconditions) -> tuple[Operation, bool]:
        """Begins to create or update a pool; the flag is True for a new one. Raises ArmError."""
        rules.check_name(name)
        self._check_write(name, "PUT", conditions)
        rules.check_idle(self.records, name)
        pool = self.records.pools.get(name)
        if pool is None:
            return self._create(name, asked), True
        return self._update(pool, asked), False

    def delete_pool(self, name: str, conditions: Preconditions, ignore_budgets: bool = False) -> Operation | None:
        """Begins to delete a pool; returns None if there is none, the running operation if it is being deleted already.

        `ignore_budgets` is recorded and has no effect: where AKS would let a budget block it, the drain ends here.
        """
        pool = self.records.pools.get(name)
        running = self.records.operations.get(pool.operation or "") if pool else None
        if running and running.kind == "delete":
            return running
        self._check_write(name, "DELETE", conditions)
        if pool is None:
            return None
        rules.check_idle(self.records, name, deleting=True)
        if pool.properties["mode"] == "System":
            message = "There has to be at least one system agent pool."
            raise errors.bad_request(message, code="MustDefineAtLeastOneSystemPool")
        self._operations.cancel(pool)
        faults = fault_effects.preempted(self.records, pool, "DELETE")
        operation = self._operations.begin(pool, "delete", self.records.settings.delete_seconds, faults)
        operation.ignore_budgets = ignore_budgets
        self._file.save()
        return operation

    def abort(self, name: str) -> Operation | None:
        """Cancels the pool's running operation; returns None if none runs. Raises ArmError."""
        return self._operations.cancel(self._existing(name))

    def stop_cluster(self) -> Operation:
        """Begins what `az aks stop` does. Raises ArmError."""
        rules.check_stop(self.records)
        return self._operations.begin_power("stop", self.records.settings.stop_seconds)

    def start_cluster(self) -> Operation:
        """Begins what `az aks start` does. Raises ArmError."""
        rules.check_start(self.records)
        return self._operations.begin_power("start", self.records.settings.start_seconds)

    def hasten_operations(self) -> int:
        """Makes every operation under way due now. Returns how many there are."""
        return self._operations.hasten()

    def delete_machines(self, name: str, machines: list[str]) -> Operation:
        """Begins to remove these machines, named by their nodes, from the pool. Raises ArmError."""
        pool = self._existing(name)
        self._check_write(name, "POST", Preconditions())
        rules.check_idle(self.records, name)
        if unknown := [machine for machine in machines if machine not in pool.nodes]:
            raise errors.invalid_parameter("machineNames", f"{', '.join(unknown)} is not in agent pool {name}")
        pool.nodes = [node for node in pool.nodes if node not in machines]
        pool.properties["count"] = len(pool.nodes)
        return self._operations.begin(pool, "update", self.records.settings.delete_seconds, [])

    def add_fault(self, fault: Fault) -> Fault:
        """Records a fault. An eviction also hits existing spot pools."""
        self.records.fault_count += 1
        fault.id = f"fault-{self.records.fault_count}"
        self.records.faults.append(fault)
        if fault.kind == "spot-eviction":
            self._evict_present(fault)
        self._file.save()
        return fault

    def clear_faults(self, fault_id: str | None = None) -> int:
        """Removes one fault, or all; returns how many. Running operations keep the faults attached to them."""
        kept = [fault for fault in self.records.faults if fault_id is not None and fault.id != fault_id]
        removed = len(self.records.faults) - len(kept)
        self.records.faults[:] = kept
        self._file.save()
        return removed

    def save(self) -> None:
        self._file.save()

    def _create(self, name: str, asked: dict[str, Any]) -> Operation:
        rules.check_room(self.records)
        rules.check_properties(asked)
        sku = rules.sold_size(asked, self.identity.location)
        properties = shape.completed(asked, sku, self.identity)
        pool = Pool(
            name=name,
            properties=properties,
            provisioning_state="Creating",
            etag=new_etag(),
            birth=str(uuid.uuid4()),
            scale_set=f"aks-{name}-{random.randrange(10**7, 10**8)}-vmss",
        )
        self._check_capacity(pool, properties)
        self.records.pools[name] = pool
        return self._begin_put(pool, "create", self.records.settings.create_seconds)

    def _update(self, pool: Pool, asked: dict[str, Any]) -> Operation:
        rules.check_properties(asked)
        if asked.get("vmSize"):
            # Compared in Azure's spelling: the client may have used another case or an alias.
            asked = asked | {"vmSize": rules.sold_size(asked, self.identity.location).name}
        rules.check_unchanged(pool, asked)
        properties = shape.updated(pool, asked)
        self._check_capacity(pool, properties)
        grows = properties["count"] > len(pool.nodes) or pool.provisioning_state == "Failed"
        pool.properties = properties
        settings = self.records.settings
        return self._begin_put(pool, "update", settings.create_seconds if grows else settings.update_seconds)

    def _begin_put(self, pool: Pool, kind: OperationKind, seconds: float) -> Operation:
        pool.resize()
        faults = fault_effects.preempted(self.records, pool, "PUT")
        return self._operations.begin(pool, kind, seconds, faults)

    def _check_capacity(self, pool: Pool, properties: dict[str, Any]) -> None:
        sku = rules.sold_size(properties, self.identity.location)
        count, spot = int(properties["count"]), properties.get("scaleSetPriority") == "Spot"
        fault_effects.refuse_put(self.records, pool.name, sku, count, spot=spot, identity=self.identity)
        quota.check(self.records, sku, count, pool=pool.name, spot=spot, region=self.identity.location)

    def _check_write(self, name: str, method: str, conditions: Preconditions) -> None:
        for kind in ("cluster-stopped", "cluster-upgrading"):
            if take(self.records.faults, [kind], Target(pool=name, method=method, route="agentPool")):
                stopped = kind == "cluster-stopped"
                state = ("Stopped", "Succeeded") if stopped else ("Running", "Upgrading")
                rules.check_cluster(*state, self.identity.cluster)
        rules.check_cluster(self.records.power_state, self.records.provisioning_state, self.identity.cluster)
        pool = self.records.pools.get(name)
        if pool and conditions.if_match and self._somebody_wrote(name, method):
            pool.etag = new_etag()
        rules.check_etag(pool, conditions.if_match, conditions.if_none_match, name)

    def _somebody_wrote(self, name: str, method: str) -> bool:
        target = Target(pool=name, method=method, route="agentPool", variant="plain")
        return take(self.records.faults, ["etag-conflict"], target) is not None

    def _cluster_state(self) -> tuple[str, str]:
        stopped = standing(self.records.faults, "cluster-stopped") is not None
        upgrading = standing(self.records.faults, "cluster-upgrading") is not None
        power_state = "Stopped" if stopped else self.records.power_state
        return power_state, "Upgrading" if upgrading else self.records.provisioning_state

    def _existing(self, name: str) -> Pool:
        pool = self.records.pools.get(name)
        if pool is None:
            raise errors.pool_not_found(name)
        return pool

    def _evict_present(self, fault: Fault) -> None:
        for pool in self.records.pools.values():
            target = Target(pool=pool.name, method="PUT", route="agentPool")
            settled = pool.spot and pool.operation is None and pool.nodes
            if settled and take(self.records.faults, [fault.kind], target):
                later = ScheduledEvent(at=time.time() + fault.delay, what="evict", nodes=fault.nodes)
                pool.later.append(later)
                self._operations.schedule(pool, later)

    def _found_system_pool(self) -> None:
        """Adds the system pool that every AKS cluster has: no Workspace's, without tags or machines of ours."""
        sku = rules.sold_size({"vmSize": "Standard_D4s_v5"}, self.identity.location)
        asked = {"vmSize": sku.name, "count": 1, "mode": "System"}
        self.records.pools[SYSTEM_POOL] = Pool(
            name=SYSTEM_POOL,
            properties=shape.completed(asked, sku, self.identity),
            provisioning_state="Succeeded",
            etag=new_etag(),
            birth=str(uuid.uuid4()),
            scale_set="aks-system-10000000-vmss",
        )
        self.save()
