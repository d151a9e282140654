"""While the webhook is down nothing new is taken, and whatever gives back or reports goes on."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from api import labels
from deploy.local.layout import Layout
from testing.kubectl_client import Kubectl
from testing.workspaces import workspace
from tests.integration.admission.conftest import Webhook


@pytest.fixture
def stored(webhook: Webhook, kubectl: Kubectl) -> Iterator[Object]:
    """A Workspace with our finalizer, taken while the webhook ran; now it does not."""
    made = workspace("w", preset="phi-4-mini-instruct")
    made["metadata"] = {"name": "w", "namespace": kubectl.namespace, "finalizers": [labels.WORKSPACE_FINALIZER]}
    kubectl.send("create", made)
    webhook.stop()
    yield made


async def test_a_new_workspace_is_refused(stored: Object, cluster: Cluster) -> None:
    other = stored | {"metadata": stored["metadata"] | {"name": "other"}}
    with pytest.raises(ApiException) as error:
        await cluster.create("Workspace", other)
    assert "failed calling webhook" in str(error.value.body)


async def test_delete_and_the_removal_of_the_finalizer_pass(stored: Object, cluster: Cluster) -> None:
    namespace = stored["metadata"]["namespace"]
    assert await cluster.delete("Workspace", "w", namespace)
    found = await cluster.get("Workspace", "w", namespace)
    assert found and found["metadata"]["deletionTimestamp"]
    test: Object = {"op": "test", "path": "/metadata/finalizers", "value": found["metadata"]["finalizers"]}
    removal: Object = {"op": "replace", "path": "/metadata/finalizers", "value": []}
    await cluster.patch("Workspace", "w", namespace, [test, removal])
    assert await cluster.get("Workspace", "w", namespace) is None


async def test_the_status_is_written(stored: Object, cluster: Cluster) -> None:
    written: dict[str, Any] = stored | {"status": {"phase": "Failed", "message": "written in an outage"}}
    del written["metadata"]["finalizers"]
    await cluster.apply("Workspace", written, subresource="status")
    found = await cluster.get("Workspace", "w", stored["metadata"]["namespace"])
    assert found and found["status"]["message"] == "written in an outage"


async def test_updates_wait_for_it_only_where_deletes_need_not(
    stored: Object, cluster: Cluster, api_server: Layout
) -> None:
    """What the registration says of this server is how this server acts."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/modelyard"
    update = (await cluster.request("GET", path))["webhooks"][1]
    assert (update["failurePolicy"] == "Fail") == bool(update.get("matchConditions"))
    edit: Object = {"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}
    edited = cluster.patch("Workspace", "w", stored["metadata"]["namespace"], [edit])
    if update["failurePolicy"] == "Fail":
        with pytest.raises(ApiException, match="failed calling webhook"):
            await edited
    else:
        assert (await edited)["metadata"]["annotations"] == {"a": "b"}
