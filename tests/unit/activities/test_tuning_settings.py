"""What a worker is told of trainings through its environment."""

import json

import pytest

from api.pods.registries import AzureIdentity
from worker.settings import WorkerSettings


def test_the_defaults_are_the_default_class_and_no_identity() -> None:
    settings = WorkerSettings()
    assert settings.tuning_storage_class == ""
    assert settings.registry_identity is None
    assert settings.allowed_hosts == ()


def test_hosts_and_identity_are_read_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_ALLOWED_HOSTS", json.dumps(["mirror.internal"]))
    monkeypatch.setenv("MODELYARD_REGISTRY_IDENTITY", json.dumps({"tenant_id": "t", "client_id": "c"}))
    settings = WorkerSettings()
    assert settings.allowed_hosts == ("mirror.internal",)
    assert settings.registry_identity == AzureIdentity(tenant_id="t", client_id="c")


def test_a_name_that_anybody_could_publish_under_is_run_by_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    named = dict.fromkeys(("RUNTIME", "FETCH", "TUNE", "DATA"), "contoso.example/modelyard/any:1")
    for name, image in named.items():
        with pytest.raises(ValueError, match=f"MODELYARD_{name}_IMAGE is not set: name the image"):
            WorkerSettings().check_images()
        monkeypatch.setenv(f"MODELYARD_{name}_IMAGE", image)
    WorkerSettings().check_images()
