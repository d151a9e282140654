"""When a run of a long workflow is over, so that the next begins with a short history: continue-as-new.

Waiting for a moment at which nothing is under way is left to `workspace.py`, and carrying the state over with it.
"""

from temporalio import workflow


class RunLength:
    """One run, from its first workflow task on. `history_limit`: events after which it is over; None leaves that to the
    server's suggestion."""

    def __init__(self, history_limit: int | None) -> None:
        self._history_limit = history_limit
        self._begun_by = _version()

    def is_over(self) -> bool:
        """Whether the history is long, or other workers have taken the workflow over than those that began the run: so
        no history has the code of more than two versions in it, and none is older than the last upgrade for long."""
        info, limit = workflow.info(), self._history_limit
        full = limit is not None and info.get_current_history_length() > limit
        return full or info.is_continue_as_new_suggested() or self._begun_by != _version()


def _version() -> str:
    """The version of the workers that the present workflow task is, or was, carried out by; "" if they are unversioned,
    whose build the SDK makes up from a digest of all loaded code. Comes from the history, so a replay has the same."""
    version = workflow.info().get_current_deployment_version()
    return version.build_id if version and version.deployment_name else ""
