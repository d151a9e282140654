"""What a worker is told of trainings through its environment."""

import json

import pytest

from api.pods.registries import AzureIdentity
from worker.settings import WorkerSettings


def test_the_defaults_are_the_default_class_and_no_identity() -> None:
    settings = WorkerSettings()
    assert (settings.tune_image, settings.data_image) == ("modelyard/tune:dev", "modelyard/data:dev")
    assert settings.tuning_storage_class == ""
    assert settings.registry_identity is None
    assert settings.allowed_hosts == ()


def test_hosts_and_identity_are_read_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_ALLOWED_HOSTS", json.dumps(["mirror.internal"]))
    monkeypatch.setenv("MODELYARD_REGISTRY_IDENTITY", json.dumps({"tenant_id": "t", "client_id": "c"}))
    settings = WorkerSettings()
    assert settings.allowed_hosts == ("mirror.internal",)
    assert settings.registry_identity == AzureIdentity(tenant_id="t", client_id="c")
