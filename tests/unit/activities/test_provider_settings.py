"""Which words an installation may use for who brings the nodes."""

import pytest
from pydantic import ValidationError

from activities.nodes.karpenter.node_claim import NodeClass
from admin.webhook.settings import WebhookSettings
from worker.settings import WorkerSettings


@pytest.mark.parametrize(
    ("word", "provider", "with_cloud"),
    [
        ("aks", "aks", True),
        ("karpenter", "karpenter", False),
        ("byo", "byo", False),
        ("azure-gpu-provisioner", "karpenter", False),
    ],
)
def test_our_and_kaitos_provider_names_are_accepted(
    word: str, provider: str, with_cloud: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_PROVIDER", word)
    assert WorkerSettings().provider == WebhookSettings().provider == provider
    assert WorkerSettings().with_cloud == with_cloud
    monkeypatch.setenv("MODELYARD_CLOUD_WORKER", "true")
    assert WorkerSettings().with_cloud


def test_an_unknown_provider_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_PROVIDER", "gcp")
    with pytest.raises(ValidationError, match="'aks', 'karpenter' or 'byo'"):
        WorkerSettings()


def test_claims_refer_to_the_node_class_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert WorkerSettings().node_class == NodeClass("kaito.sh", "KaitoNodeClass", "default")
    monkeypatch.setenv(
        "MODELYARD_NODE_CLASS", '{"group": "karpenter.azure.com", "kind": "AKSNodeClass", "name": "gpu"}'
    )
    assert WorkerSettings().node_class == NodeClass("karpenter.azure.com", "AKSNodeClass", "gpu")
