"""Tries again what a registry may yet answer: bounded, with pauses that grow. What was done already is not done twice,
because every attempt asks first."""

import time
from collections.abc import Callable
from typing import TypeVar

from runtime.pod.retry import RetryPolicy
from runtime.registry.faults import RegistryFault

Result = TypeVar("Result")
Waiting = Callable[[str], None]
"""Told what went wrong before each pause."""


def with_retries(attempt: Callable[[], Result], retry_policy: RetryPolicy, waiting: Waiting) -> Result:
    """What an attempt gives. Raises the RegistryFault of the last one, or of the first that no trying mends."""
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
