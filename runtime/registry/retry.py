"""Retries transient registry errors: a limited number of times, with growing pauses. Attempts query the registry first,
so completed work is not repeated."""

import time
from collections.abc import Callable
from typing import TypeVar

from runtime.pod.retry import RetryPolicy
from runtime.registry.faults import RegistryFault

Result = TypeVar("Result")
Waiting = Callable[[str], None]
"""Called with the error before each pause."""


def with_retries(attempt: Callable[[], Result], retry_policy: RetryPolicy, waiting: Waiting) -> Result:
    """Returns an attempt's result. Raises the RegistryFault of the last one, or the first that is not retryable."""
    for number in range(1, retry_policy.attempts + 1):
        try:
            return attempt()
        except RegistryFault as fault:
            if not fault.worth_retrying or number == retry_policy.attempts:
                raise
            pause = retry_policy.pause_s(number)
            waiting(f"attempt {number} of {retry_policy.attempts}: {fault}; trying again in {pause:.0f} s")
            time.sleep(pause)
    raise AssertionError("the RetryPolicy allows no attempt")
