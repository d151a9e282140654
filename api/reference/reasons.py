"""The page of conditions and reasons: what each word means, what causes it, what to do, and what happens next."""

from collections.abc import Mapping
from typing import Final

from api import labels
from api.reasons import REASONS, FailureClass
from api.reference.markdown import code, page, paragraph, table
from api.resource.conditions import ConditionType

NEXT: Final[Mapping[FailureClass, tuple[str, str]]] = {
    FailureClass.FAIL: (
        "Stops until something is changed",
        "Nothing more is bought, and what was bought is released; when the edit of a running Workspace is refused, "
        "the running one stays. Another try begins when the spec changes, or "
        f"when the annotation `{labels.RETRY}` gets a new value.",
    ),
    FailureClass.RETRY: (
        "Is tried again by itself",
        "A bounded number of times, with growing pauses, within the step's deadline. After that the Workspace fails "
        "with this reason, and what was bought is released.",
    ),
    FailureClass.WAIT: (
        "Is waited for",
        "Nothing has failed. The wait goes on by itself until `status.deadline`; then the step fails.",
    ),
    FailureClass.BUG: (
        "Is a bug in Modelyard",
        "The phase is ControllerError. What was bought is still on record and is released.",
    ),
    FailureClass.NONE: ("Is not a failure", "These reasons report progress."),
}

CONDITIONS: Final[Mapping[ConditionType, tuple[str, str]]] = {
    ConditionType.PREFLIGHT_PASSED: ("No check before the purchase failed; the message has warnings.", "Preflight"),
    ConditionType.NODE_CLAIM_READY: ("Every node has been bought, or reserved.", "ProvisionNodes"),
    ConditionType.NODES_READY: ("Every node has joined and offers its GPUs.", "AwaitNodes"),
    ConditionType.RESOURCE_READY: ("Everything that the workload runs on is there.", "AwaitNodes"),
    ConditionType.MODEL_MIRROR_READY: ("The model is in the cluster's cache, where there is one.", "PrepareModel"),
    ConditionType.INFERENCE_READY: ("Every pod has answered a real completion.", "Verify"),
    ConditionType.GENERATION_APPLIED: (
        "The newest generation is what serves. Set once it was not: while an older one serves instead, the other "
        "conditions are about that one.",
        "Restore",
    ),
    ConditionType.JOB_STARTED: ("The training runs.", "Train"),
    ConditionType.BENCHMARK_COMPLETED: ("The benchmark's figures are in status.performance.", "Verify"),
    ConditionType.WORKSPACE_SUCCEEDED: ("The Workspace does its job.", "Verify, Publish"),
    ConditionType.WORKSPACE_DELETING: ("The Workspace is being deleted.", "Undeploy"),
}


def reasons_page() -> str:
    """Every condition, and every reason by what happens next."""
    conditions = [[code(str(type_)), words, step] for type_, (words, step) in CONDITIONS.items()]
    index = " · ".join(f"[{name}](#{name.lower()})" for name in sorted(REASONS, key=str.lower))
    parts = []
    for failure, (title, what) in NEXT.items():
        rows = [
            [f'<a id="{entry.name.lower()}"></a>{code(entry.name)}', entry.meaning, entry.cause, entry.fix]
            for entry in sorted(REASONS.values(), key=lambda entry: entry.name.lower())
            if entry.failure is failure
        ]
        parts += [f"## {title}", paragraph(what), table(["reason", "meaning", "cause", "what to do"], rows)]
    return page(
        "api.reference reasons",
        "# Conditions and reasons",
        paragraph(
            "`status.reason` is one of the reasons below, `status.message` says the same in a sentence with names and "
            "numbers. A condition that is not True carries the reason that keeps it from being True."
        ),
        "## Conditions",
        table(["condition", "True means", "set by"], conditions),
        "## All reasons",
        paragraph(index),
        *parts,
    )
