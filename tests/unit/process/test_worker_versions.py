"""Whose workers a queue's tasks go to, decided from what the server knows of polls; and a version's name."""

import pytest
from pydantic import ValidationError

from worker.queue_settings import QueueSettings, installed_version
from worker.versions import SILENT_S, Poll, QueueVersion, is_deserted

NOW = 1_000_000.0
OLD, NEW = "0.1.0", "0.2.0"


@pytest.mark.parametrize(
    ("polls", "expected"),
    [
        pytest.param([Poll(OLD, NOW), Poll(NEW, NOW - 60)], False, id="both poll"),
        pytest.param([Poll(OLD, NOW - 60), Poll(NEW, NOW)], False, id="a poll that waits for work"),
        pytest.param([Poll(OLD, NOW - 76), Poll(NEW, NOW)], True, id="none any more"),
        pytest.param([Poll(OLD, NOW - 300), Poll(OLD, NOW - 1), Poll(NEW, NOW)], False, id="one of two has ended"),
        pytest.param([Poll(NEW, NOW)], True, id="forgotten by the server"),
        pytest.param([Poll("", NOW - 300), Poll(NEW, NOW)], True, id="none, and unversioned workers are gone too"),
    ],
)
def test_a_version_is_deserted_when_its_polls_lie_behind(polls: list[Poll], expected: bool) -> None:
    assert is_deserted(OLD, polls) is expected


def test_a_poll_that_waits_for_work_is_shorter_than_the_silence() -> None:
    """Temporal ends one after 60 s."""
    assert SILENT_S > 60


def test_deployments_have_names_that_temporal_takes() -> None:
    version = QueueVersion("waits", "0.1.0").config().version
    assert "." not in version.deployment_name, "a dot would end it: what follows is the build"
    assert version.to_canonical_string() == "modelyard-waits.0.1.0"


def test_the_version_is_the_packages_unless_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert QueueSettings().worker_version == installed_version()
    monkeypatch.setenv("MODELYARD_WORKER_VERSION", "1.2.3-rc.1+abc")
    assert QueueSettings().worker_version == "1.2.3-rc.1+abc"


@pytest.mark.parametrize("version", ["", "a b", "-1", "x" * 129])
def test_what_cannot_be_a_version_is_refused(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_WORKER_VERSION", version)
    with pytest.raises(ValidationError, match="worker_version"):
        QueueSettings()
