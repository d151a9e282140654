"""The stack of the injections, started anew when a round has left something behind, and the report at the end."""

from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass

import pytest

from testing.deadlines import DEADLINES
from testing.faults.slow_admission import slow_admission
from testing.pods.rules import PodRules
from testing.stack import Stack, keep_logs
from testing.workspaces import connected
from tests.chaos.failed_edits import EDIT_STEPS
from tests.chaos.judging import Outcome, last_line
from tests.chaos.standing import STEPS, Scene
from tests.chaos.table import cell, complaints, listing, table

INSTANCE = "injections"
OUTCOMES = pytest.StashKey[list[Outcome]]()
PASSED = pytest.StashKey[bool]()


@dataclass
class Ground:
    """The stack, and whether the last round left it as it found it."""

    stack: Stack
    clean: bool = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture
def outcomes(request: pytest.FixtureRequest) -> Iterator[list[Outcome]]:
    """Where every injection is put down, for the table; a round's own are told when it ends, because all take long."""
    found = request.config.stash.setdefault(OUTCOMES, [])
    before = len(found)
    yield found
    told = [f"    {one.injection.fault} in {one.injection.step}: {cell(one)}" for one in found[before:]]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("", *told, *complaints(found[before:]), sep="\n", flush=True)


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    found = Ground(Stack(INSTANCE, {"MODELYARD_DEADLINES": DEADLINES}))
    try:
        yield found
    finally:
        found.stack.stop()


@pytest.fixture
def injected_stack(ground: Ground, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Started for the first round, and anew after one that failed: what that left behind never reaches the next."""
    if not ground.clean:
        ground.stack.start()
    ground.clean = False
    yield ground.stack
    if request.node.stash.get(PASSED, False):
        ground.clean = True
    else:
        keep_logs(ground.stack.layout)


@pytest.fixture
async def scene(injected_stack: Stack) -> AsyncIterator[Scene]:
    """Without faults before and after."""
    stack = injected_stack
    async with connected(stack.layout) as workspaces, slow_admission(stack.layout, workspaces) as admission:
        yield Scene(stack, workspaces, admission)
        stack.arm.clear_faults()
        stack.set_pods(PodRules())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(OUTCOMES, [])
    if not found:
        return
    of_edits = [one for one in found if one.injection.step in EDIT_STEPS]
    of_arm = [one for one in found if one.injection.step not in (*STEPS, *EDIT_STEPS)]
    terminalreporter.section("injections: outcome and seconds until Ready or gone")
    edits = [*table(of_edits, EDIT_STEPS), ""] if of_edits else []
    arm = listing(of_arm, "fault of ARM") if of_arm else []
    lines = [*table(found, STEPS), "", *edits, *arm, "", *complaints(found)]
    for line in lines:
        terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """After everything else that pytest says, so that the count is the last line."""
    found = config.stash.get(OUTCOMES, [])
    if found:
        config.get_terminal_writer().line(last_line(found))
