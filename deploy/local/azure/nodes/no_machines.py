"""No machines: for tests of the ARM contract alone. Remembers names, so that they can be counted."""

from collections import defaultdict

from deploy.local.azure.nodes.machines import Machine


class NoMachines:
    """Machines that exist in name only."""

    def __init__(self) -> None:
        self.started: dict[str, dict[str, Machine]] = defaultdict(dict)

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def start(self, machine: Machine) -> None:
        self.started[machine.pool][machine.name] = machine

    async def remove(self, pool: str, name: str, *, drain_seconds: float) -> None:
        self.started[pool].pop(name, None)

    async def present(self, pool: str) -> list[str]:
        return sorted(self.started[pool])
