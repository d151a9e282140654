"""Starts Temporal's real servers for tests: the dev server, and the one that skips time. What runs on them is left to
`workflows/conftest.py`."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from temporalio.testing import WorkflowEnvironment

from testing.deadlines import PATIENCE_S

_STARTED: Final = timedelta(seconds=PATIENCE_S)
"""The SDK's own five seconds are too few on a machine that trains a model beside it."""


def binary(name: str) -> str:
    """A program that PyPI has put beside the virtual environment's python."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f"{name} is not in the virtual environment: run `make setup`"
    return found


@asynccontextmanager
async def dev_server(*arguments: str, **options: Any) -> AsyncIterator[WorkflowEnvironment]:
    """The real server as the local stack runs it, for races, in real time; `options` are those of `start_local`."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=binary("temporal"),
        dev_server_log_level="never",
        dev_server_extra_args=arguments,
        dev_server_startup_timeout=_STARTED,
        **options,
    ) as environment:
        yield environment


@asynccontextmanager
async def skipping_server(**options: Any) -> AsyncIterator[WorkflowEnvironment]:
    """The time-skipping server; `options` are those of `start_time_skipping`."""
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary("temporal-test-server"), test_server_startup_timeout=_STARTED, **options
    ) as environment:
        yield environment
