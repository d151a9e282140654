"""What is said about a download that is on its way."""

from pathlib import Path

from runtime.pod.metrics import COMPLETE, Progress, bytes_below


def test_speed_and_remaining_time_follow_the_samples() -> None:
    progress = Progress(bytes_total=1000)
    for second in range(4):
        progress.sample(100 * second, now=float(second))
    assert progress.speed() == 100
    assert progress.remaining_s() == 7


def test_nothing_is_known_before_the_second_sample() -> None:
    progress = Progress(bytes_total=1000)
    progress.sample(10, now=0.0)
    assert (progress.speed(), progress.remaining_s()) == (0, -1)


def test_a_download_that_stands_still_keeps_the_time_it_last_moved() -> None:
    progress = Progress()
    for second, done in enumerate([0, 5, 5, 5]):
        progress.sample(done, now=float(second))
    assert progress.moved_at == 1.0


def test_the_metrics_report_when_the_weights_are_complete() -> None:
    progress = Progress(phase=COMPLETE, bytes_done=5, bytes_total=5)
    assert "\nmodelyard_fetch_complete 1\n" in progress.metrics()
    assert "\nkaito_model_download_remaining_seconds 0\n" in progress.metrics()


def test_a_sparse_file_counts_what_it_holds(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10_000_000)
    (tmp_path / "full").write_bytes(b"x" * 1000)
    assert bytes_below(tmp_path) == 1000
