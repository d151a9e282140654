"""Executes long-running operations: waits until they are due, starts and removes machines, records the outcome.

One operation at a time works on the machines of a pool (a lock per pool name). Everything that is still to happen is
recorded with its time, so that `resume` continues after a restart.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Literal

from deploy.local.azure import fault_effects
from deploy.local.azure.errors import ErrorBody
from deploy.local.azure.faults import Fault
from deploy.local.azure.identity import Identity
from deploy.local.azure.nodes.machines import MachineFailed, Machines, machine
from deploy.local.azure.records import Operation, OperationKind, Pool, RecordsFile, ScheduledEvent

STATE_WHILE = {"create": "Creating", "update": "Updating", "delete": "Deleting"}
CLUSTER_STATE_WHILE = {"stop": "Stopping", "start": "Starting"}
# Limits kubelets that start together: each takes a core for seconds, and the local stack is built for two cores.
STARTING_TOGETHER = 4
RETRY_S = 1.0

log = logging.getLogger(__name__)


def new_etag() -> str:
    return str(uuid.uuid4())


class Operations:
    """Begins, executes, cancels and resumes operations."""

    def __init__(self, file: RecordsFile, machines: Machines, identity: Identity) -> None:
        self._file, self._machines, self._identity = file, machines, identity
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._starting = asyncio.Semaphore(STARTING_TOGETHER)
        self._tasks: set[asyncio.Task[None]] = set()
        self._hastened = asyncio.Event()

    def begin(self, pool: Pool, kind: OperationKind, seconds: float, faults: list[Fault]) -> Operation:
        """Records an operation that is due after `seconds` (longer with slow-operation) and schedules it."""
        now = time.time()
        slow = sum(fault.delay for fault in faults if fault.kind == "slow-operation")
        operation = Operation(
            id=str(uuid.uuid4()), pool=pool.name, kind=kind, started_at=now, due_at=now + seconds + slow, faults=faults
        )
        self._file.records.operations[operation.id] = operation
        pool.operation, pool.provisioning_state, pool.etag = operation.id, STATE_WHILE[kind], new_etag()
        self._file.save()
        self._spawn(self._run(operation))
        return operation

    def begin_power(self, kind: Literal["stop", "start"], seconds: float) -> Operation:
        """Records that the cluster stops or starts, due after `seconds`, and schedules it. AKS calls a cluster that is
        starting Running."""
        now, records = time.time(), self._file.records
        operation = Operation(id=str(uuid.uuid4()), pool="", kind=kind, started_at=now, due_at=now + seconds)
        records.operations[operation.id] = operation
        records.power_state, records.provisioning_state = "Running", CLUSTER_STATE_WHILE[kind]
        self._file.save()
        self._spawn(self._run_power(operation))
        return operation

    def hasten(self) -> int:
        """Makes every operation under way due now. Returns how many there are."""
        running = self._file.records.running()
        for operation in running:
            operation.due_at = min(operation.due_at, time.time())
        self._file.save()
        self._hastened.set()
        self._hastened = asyncio.Event()
        return len(running)

    def cancel(self, pool: Pool) -> Operation | None:
        """Ends the pool's running operation as Canceled; machines that were started stay until the pool is deleted."""
        operation = self._file.records.operations.get(pool.operation or "")
        if operation is None or operation.status != "InProgress":
            return None
        operation.status, operation.ended_at = "Canceled", time.time()
        pool.operation, pool.provisioning_state, pool.etag = None, "Canceled", new_etag()
        self._file.save()
        return operation

    def resume(self) -> None:
        """Schedules everything that the records list as outstanding. Called once, when the emulator starts."""
        for operation in self._file.records.running():
            self._spawn(self._run(operation) if operation.pool else self._run_power(operation))
        for pool in self._file.records.pools.values():
            for later in pool.later:
                self.schedule(pool, later)
            if pool.operation is None and self._file.records.power_state == "Running":
                self._spawn(self._adopt(pool))

    def schedule(self, pool: Pool, later: ScheduledEvent) -> None:
        """Schedules a recorded event."""
        self._spawn(self._run_event(pool.name, pool.birth, later))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()):
            log.error("a background task of the ARM emulator failed", exc_info=problem)

    async def _due(self, operation: Operation) -> None:
        while (left := operation.due_at - time.time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hastened.wait(), left)

    async def _run(self, operation: Operation) -> None:
        await self._due(operation)
        async with self._locks[operation.pool]:
            if operation.status != "InProgress":
                return
            pool = self._file.records.pools[operation.pool]
            error = fault_effects.failure(operation, pool, self._identity.location)
            error = error or await self._carry_out(operation, pool)
            if operation.status == "InProgress":
                self._finish(operation, pool, error)

    async def _run_power(self, operation: Operation) -> None:
        """Ends the machines of all pools, or brings back those that ran; the pools stay as they are."""
        await self._due(operation)
        stops, records = operation.kind == "stop", self._file.records
        for pool in list(records.pools.values()):
            async with self._locks[pool.name]:
                await self._retry_machines(self._switch_off if stops else self._restart_known, pool)
        operation.status, operation.ended_at = "Succeeded", time.time()
        records.power_state, records.provisioning_state = "Stopped" if stops else "Running", "Succeeded"
        self._file.save()
        log.info("the cluster is %s", records.power_state)

    async def _switch_off(self, pool: Pool) -> None:
        """Machines go, and stay listed as started: the start brings them back."""
        await _all(self._machines.remove(pool.name, name, drain_seconds=0.0) for name in pool.started)

    async def _carry_out(self, operation: Operation, pool: Pool) -> ErrorBody | None:
        if operation.kind != "delete":
            pool.node_faults |= fault_effects.node_faults(operation, pool.nodes)
        work = self._empty if operation.kind == "delete" else self._settle
        try:
            await self._retry_machines(work, pool)
        except MachineFailed as failed:
            log.exception("machines of pool %s failed", pool.name)
            return ErrorBody(code="VMExtensionProvisioningError", message=str(failed))
        except Exception as bug:
            # The outermost handler: clients that poll must learn that the operation has ended.
            log.exception("operation %s on pool %s failed", operation.kind, pool.name)
            return ErrorBody(code="InternalOperationError", message=f"{type(bug).__name__}: {bug}")
        return None

    def _finish(self, operation: Operation, pool: Pool, error: ErrorBody | None) -> None:
        operation.ended_at, operation.error = time.time(), error
        operation.status = "Failed" if error else "Succeeded"
        pool.operation, pool.provisioning_state, pool.etag = None, operation.status, new_etag()
        if operation.kind == "delete" and not error:
            del self._file.records.pools[pool.name]
        for later in _consequences(operation):
            pool.later.append(later)
            self.schedule(pool, later)
        self._file.save()
        log.info("%s of pool %s: %s %s", operation.kind, pool.name, operation.status, error.code if error else "")

    async def _run_event(self, name: str, birth: str, later: ScheduledEvent) -> None:
        await _until(later.at)
        async with self._locks[name]:
            pool = self._file.records.pools.get(name)
            if pool is None or pool.birth != birth or later not in pool.later:
                return
            if later.what == "arrive":
                await self._retry_machines(self._settle, pool)
            else:
                await self._retry_machines(partial(self._evict, nodes=later.nodes), pool)
            pool.later.remove(later)
            self._file.save()

    async def _evict(self, pool: Pool, nodes: int | None) -> None:
        lost = pool.nodes[-(nodes or len(pool.nodes)) :]
        await self._remove(pool, lost, drain_seconds=0.0)
        pool.nodes = [name for name in pool.nodes if name not in lost]
        pool.etag = new_etag()

    async def _adopt(self, pool: Pool) -> None:
        """Repairs or restarts the machines that existed when the last process ended; adds none."""
        async with self._locks[pool.name]:
            await self._retry_machines(self._restart_known, pool)

    async def _retry_machines(self, work: Callable[[Pool], Coroutine[Any, Any, None]], pool: Pool) -> None:
        """Retries while machines fail, for up to `machine_seconds`. Raises MachineFailed."""
        deadline = time.time() + self._file.records.settings.machine_seconds
        while True:
            try:
                return await work(pool)
            except MachineFailed as failed:
                if time.time() + RETRY_S > deadline:
                    raise
                log.warning("machines of pool %s: %s", pool.name, failed)
            await asyncio.sleep(RETRY_S)

    async def _restart_known(self, pool: Pool) -> None:
        await self._start(pool, [name for name in pool.nodes if name in pool.started])

    async def _settle(self, pool: Pool) -> None:
        """Makes the machines match the pool's list."""
        present = await self._machines.present(pool.name)
        surplus = [name for name in present if name not in pool.nodes]
        await self._remove(pool, surplus, self._file.records.settings.drain_seconds)
        await self._start(pool, pool.nodes)

    async def _start(self, pool: Pool, names: list[str]) -> None:
        async def start(name: str) -> None:
            async with self._starting:
                gpus = 0 if pool.node_faults.get(name) == "no-gpu" else None
                await self._machines.start(machine(pool, name, self._identity, gpus=gpus))
            pool.started = [*(known for known in pool.started if known != name), name]

        await _all(start(name) for name in names if pool.node_faults.get(name) != "absent")

    async def _remove(self, pool: Pool, names: list[str], drain_seconds: float) -> None:
        async def remove(name: str) -> None:
            await self._machines.remove(pool.name, name, drain_seconds=drain_seconds)
            pool.started = [known for known in pool.started if known != name]

        await _all(remove(name) for name in names)

    async def _empty(self, pool: Pool) -> None:
        """Removes every machine, including those left by an earlier attempt."""
        known = dict.fromkeys([*pool.nodes, *await self._machines.present(pool.name)])
        await self._remove(pool, list(known), self._file.records.settings.drain_seconds)


def _consequences(operation: Operation) -> list[ScheduledEvent]:
    """Returns the events that an operation's faults cause after its end."""
    now, found = time.time(), []
    if late := operation.fault("fails-late"):
        found.append(ScheduledEvent(at=now + late.delay, what="arrive"))
    if (eviction := operation.fault("spot-eviction")) and operation.status == "Succeeded":
        found.append(ScheduledEvent(at=now + eviction.delay, what="evict", nodes=eviction.nodes))
    return found


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.time()))


async def _all(work: Any) -> None:
    """Runs the coroutines concurrently to their end, then raises the first failure: none is left running unseen."""
    results = await asyncio.gather(*work, return_exceptions=True)
    failed = next((result for result in results if isinstance(result, BaseException)), None)
    if failed is not None:
        raise failed
