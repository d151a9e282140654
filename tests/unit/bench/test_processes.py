"""Processor time between two looks, and memory, as figures."""

import os

import psutil
import pytest

from bench.lives.processes import MACHINE, Used, cpu_results, memory_results, used_by

BEFORE = {"worker": Used(1.0, 100.0, 80.0, 120.0), "etcd": Used(5.0, 50.0, 40.0, 60.0)}
AFTER = {
    "worker": Used(11.0, 110.0, 90.0, 130.0),
    "etcd": Used(7.0, 50.0, 40.0, 60.0),
    "late": Used(4.0, 10.0, 9.0, 11.0),
}


def test_processor_time_of_what_counts_is_divided_by_the_lives() -> None:
    first, *each = cpu_results("up", BEFORE, AFTER, 4, ("worker", "etcd"))
    assert (first.name, first.value, first.n) == ("cpu_up_per_life", 3.0, 4)
    assert [(one.name, one.value) for one in each] == [
        ("cpu_up_worker", 10.0),
        ("cpu_up_late", 4.0),
        ("cpu_up_etcd", 2.0),
    ]


def test_a_process_that_did_nothing_is_not_told() -> None:
    assert [one.name for one in cpu_results("idle", BEFORE, BEFORE, 1, ("worker",))] == ["cpu_idle_per_life"]


def test_what_else_ran_on_the_machine_is_told() -> None:
    machine = [{MACHINE: Used(seconds, 0.0, 0.0, 0.0)} for seconds in (100.0, 150.0)]
    each = cpu_results("up", BEFORE | machine[0], AFTER | machine[1], 1, ("worker",))
    assert [(one.name, one.value) for one in each if "others" in one.name] == [("cpu_up_others", 50.0 - 16.0)]


def test_memory_is_told_together_and_each() -> None:
    together, *each = memory_results("fresh", BEFORE, 4, ("worker", "etcd"))
    assert (together.name, together.value) == ("resident_fresh_all", 150.0)
    assert "peaks 180; PSS 120" in together.how
    assert [one.value for one in each] == [100.0, 50.0]


def test_the_kernel_says_what_a_process_used() -> None:
    own = used_by(psutil.Process(os.getpid()))
    assert own.cpu_s > 0
    assert 0 < own.proportional <= own.resident <= own.peak


def test_a_process_that_is_missing_is_not_passed_over() -> None:
    with pytest.raises(KeyError):
        memory_results("fresh", BEFORE, 4, ("watcher",))
