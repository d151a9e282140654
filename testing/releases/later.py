"""The workflow of a later release: it asks Temporal for more than today's, behind two patches.

A replay of what today's code has begun does not find these commands in the history, and today's code cannot replay what
has them. `images.py` puts this file into an image of the control plane, as `workflows.later`.
"""

from typing import Final

from temporalio import workflow

from activities.contract import signatures
from workflows.activity_calls import call
from workflows.messages import Answer, WorkspaceInput
from workflows.workspace import WorkspaceWorkflow

LOOK: Final = "look-before-2026-12"
"""An activity before each step. A run that has made a step without it goes on without it: this shows in runs that have
begun with it."""
NOTE: Final = "note-who-resumes-2026-12"
"""A memo when a pause ends. It shows in every run that is resumed for the first time, also amid a training."""
PATCHES: Final = (LOOK, NOTE)
LOOKING: Final = "Look before each step"


@workflow.defn(name="Workspace")
class Later(WorkspaceWorkflow):
    """Before each step it reads the Workspace, and it notes who has resumed it."""

    @workflow.init
    def __init__(self, seed: WorkspaceInput) -> None:
        super().__init__(seed)

    @workflow.run
    async def run(self, seed: WorkspaceInput) -> list[str]:
        """As today."""
        return await super().run(seed)

    async def _step(self) -> None:
        if workflow.patched(LOOK):
            await call(signatures.READ_WORKSPACE, self.state.key, summary=LOOKING)
        await super()._step()

    @workflow.update(description="End a pause")
    def resume(self) -> Answer:  # type: ignore[override]  # the type of an update names its class
        """Ends a pause, and notes it."""
        answer: Answer = super().resume()  # type: ignore[call-arg,assignment]  # a method like any other
        if workflow.patched(NOTE):
            workflow.upsert_memo({"resumed": "by a later release"})
        return answer

    @resume.validator
    def _may_resume(self) -> None:
        super()._may_resume()
