"""Variables of a training's processes: nothing of the network, no secret, and what ranks need."""

from pathlib import Path

from runtime.tune.processes.environment import rank_variables, variables
from runtime.tune.processes.memory_kills import memory_kills


def test_no_token_reaches_the_training_and_no_hub_is_asked() -> None:
    found = variables(
        {"HF_TOKEN": "secret", "PATH": "/bin", "HF_HUB_OFFLINE": "0"}, cache="/c", cpus=4, processes=1, on_gpu=True
    )
    assert "HF_TOKEN" not in found
    assert (found["HF_HUB_OFFLINE"], found["PATH"]) == ("1", "/bin")


def test_caches_are_written_where_a_pod_may_write() -> None:
    found = variables({}, cache="/c", cpus=4, processes=1, on_gpu=True)
    homes = ("HF_HOME", "HF_DATASETS_CACHE", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "XDG_CACHE_HOME")
    assert all(found[name].startswith("/c") for name in homes)


def test_processes_share_the_cpus_and_the_pods_author_may_say_otherwise() -> None:
    assert variables({}, cache="/c", cpus=8, processes=4, on_gpu=True)["OMP_NUM_THREADS"] == "2"
    assert variables({}, cache="/c", cpus=1, processes=4, on_gpu=True)["OMP_NUM_THREADS"] == "1"
    assert variables({"OMP_NUM_THREADS": "3"}, cache="/c", cpus=8, processes=4, on_gpu=True)["OMP_NUM_THREADS"] == "3"


def test_memory_is_kept_on_a_cpu_and_threads_wait_as_their_library_has_it() -> None:
    found, on_gpu = (variables({}, cache="/c", cpus=8, processes=1, on_gpu=gpu) for gpu in (False, True))
    assert found.keys() - on_gpu.keys() == {"MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_"}
    assert "OMP_WAIT_POLICY" not in found
    given = {"MALLOC_MMAP_MAX_": "65536", "OMP_WAIT_POLICY": "PASSIVE"}
    assert given.items() <= variables(given, cache="/c", cpus=8, processes=1, on_gpu=False).items()


def test_a_process_alone_is_no_rank() -> None:
    assert rank_variables(0, 1, 0) == {}
    found = rank_variables(1, 2, 29500)
    assert (found["RANK"], found["WORLD_SIZE"], found["MASTER_PORT"]) == ("1", "2", "29500")


def test_the_kernels_kills_are_counted(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\noom_group_kill 0\n")
    assert memory_kills(tmp_path / "memory.events") == 2
    assert memory_kills(tmp_path / "nowhere") == 0
