"""How many tasks a worker takes at once, and how many polls it has open for them: settings, and what the SDK makes of
them.

How many activities of each queue may run at once at most is `activities/contract/queues.py`'s.
"""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from temporalio.worker import (
    PollerBehavior,
    PollerBehaviorAutoscaling,
    PollerBehaviorSimpleMaximum,
    ResourceBasedSlotConfig,
    WorkerTuner,
)

from activities.contract import queues

LEAST_SLOTS: Final = 5
"""Of each kind, however full the machine is: a release must find room where memory is short because nothing is
released."""
WORKFLOW_TASKS: Final = 100
"""Workflow tasks, and local activities, at once: the SDK's default."""
FIRST_POLLS: Final = 5


class Capacity(BaseModel):
    """How a worker takes its work. The defaults are fixed numbers, so that a crowd queues up at the server, where its
    order counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    pollers: Literal["fixed", "autoscaling"] = "fixed"
    """`autoscaling`: as many polls as the server's hints ask for, up to `polls`."""
    polls: int = Field(default=FIRST_POLLS, ge=2, le=100)
    """Open polls of each queue and kind of task: less than two could not look at a queue and at cached workflows."""
    slots: Literal["fixed", "resources"] = "fixed"
    """`resources`: fewer tasks at once than each queue allows, while memory or CPU are used more than aimed at."""
    memory: int = Field(default=80, ge=10, le=90)
    """With `resources`: use of the memory that is aimed at, in percent."""
    cpu: int = Field(default=90, ge=10, le=100)
    """With `resources`: use of the CPUs that is aimed at, in percent."""

    def poller(self) -> PollerBehavior:
        """Returns how each kind of task is polled for."""
        if self.pollers == "autoscaling":
            return PollerBehaviorAutoscaling(minimum=1, maximum=self.polls, initial=min(FIRST_POLLS, self.polls))
        return PollerBehaviorSimpleMaximum(self.polls)

    def tuner(self, queue: str) -> WorkerTuner:
        """Returns how many tasks the worker of this queue takes at once."""
        most = queues.AT_ONCE[queue]
        if self.slots == "fixed":
            return WorkerTuner.create_fixed(activity_slots=most)
        tasks = ResourceBasedSlotConfig(minimum_slots=LEAST_SLOTS, maximum_slots=WORKFLOW_TASKS)
        return WorkerTuner.create_resource_based(
            target_memory_usage=self.memory / 100,
            target_cpu_usage=self.cpu / 100,
            workflow_config=tasks,
            activity_config=ResourceBasedSlotConfig(minimum_slots=LEAST_SLOTS, maximum_slots=most),
            local_activity_config=tasks,
        )
