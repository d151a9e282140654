"""A namespace that refuses pods: said with the API server's words as soon as the workload is applied, with Kubernetes'
own controllers and the rights that are shipped."""

import asyncio
from typing import Any, Final

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Cluster, Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.payloads import WorkspaceKey
from activities.contract.serving import ServingRequest, WorkloadRequest
from activities.contract.tuning import JobRequest, JobWait
from activities.manifests.tuning import TuningPodSettings
from activities.serving.workloads import Workloads
from activities.tuning.jobs import TuningJobs
from deploy.local.cluster.older_kubernetes import MINIMUM_MINOR
from deploy.local.kubernetes.binaries import require_binaries
from deploy.local.layout import Layout
from testing.deadlines import PATIENCE_S
from testing.pods.inputs import IMAGES, NO_CONTROLLER, PINNED
from tests.builders import a_plan
from tests.integration.controllers.namespaces import Namespace
from tests.integration.nodes.attempts import Attempt

SERVER: Final[Object] = {
    "name": "llm",
    "image": "registry.example.com/llm:1",
    "ports": [{"containerPort": 5000}],
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
}
AROUND: Final = TuningPodSettings(tune_image="tune:1", data_image="data:1")


def by_template(**spec: Any) -> Object:
    return {"inference": {"template": {"spec": {"containers": [SERVER]} | spec}}}


async def refusal(attempt: Attempt) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await asyncio.wait_for(attempt.task, PATIENCE_S)
    return caught.value


def applying(worker: Cluster, key: WorkspaceKey, **plan: Any) -> Attempt:
    wanted = a_plan(key, **({"kind": "template", "model": "", "digest": "digest-1"} | plan))
    return Attempt(Workloads(ClusterView(worker), IMAGES).ensure_workload, WorkloadRequest(plan=wanted, pinned=PINNED))


@pytest.fixture
def with_pod_security(api_server: Layout) -> None:
    if (minor := require_binaries(api_server).minor) < MINIMUM_MINOR:
        pytest.skip(f"the standard is that of Kubernetes 1.{MINIMUM_MINOR} and later, and this one is 1.{minor}")


async def test_pod_security_refuses_a_template(worker: Cluster, namespace: Namespace, with_pod_security: None) -> None:
    await namespace.enforce("restricted")
    error = await refusal(applying(worker, await namespace.workspace(**by_template())))
    assert (error.type, error.non_retryable) == ("PodsForbidden", True)
    assert 'violates PodSecurity "restricted' in error.message and "allowPrivilegeEscalation" in error.message


async def test_a_quota_that_is_used_up_refuses_a_pod(worker: Cluster, namespace: Namespace) -> None:
    await namespace.quota(pods="0")
    error = await refusal(applying(worker, await namespace.workspace(**by_template())))
    assert (error.type, error.non_retryable) == ("PodQuotaExceeded", True)
    assert "exceeded quota: small" in error.message


async def test_a_quota_that_asks_for_limits_refuses_for_good(worker: Cluster, namespace: Namespace) -> None:
    await namespace.quota(**{"limits.cpu": "4"})
    error = await refusal(applying(worker, await namespace.workspace(**by_template())))
    assert error.type == "PodsForbidden" and "must specify limits.cpu" in error.message


async def test_a_limit_of_the_namespace_refuses_a_pod(worker: Cluster, namespace: Namespace) -> None:
    await namespace.limit_range(memory="512Mi")
    error = await refusal(applying(worker, await namespace.workspace(**by_template())))
    assert error.type == "PodsForbidden" and "maximum memory usage per Container is 512Mi" in error.message


async def test_a_missing_service_account_is_named(worker: Cluster, namespace: Namespace) -> None:
    error = await refusal(applying(worker, await namespace.workspace(**by_template(serviceAccountName="nobody"))))
    assert error.type == "PodsForbidden" and 'serviceaccount "nobody" not found' in error.message


async def test_a_namespace_that_refuses_replica_sets_says_so(worker: Cluster, namespace: Namespace) -> None:
    await namespace.quota(**{"count/replicasets.apps": "0"})
    error = await refusal(applying(worker, await namespace.workspace(**by_template())))
    assert error.type == "PodQuotaExceeded" and "replicasets.apps" in error.message


async def test_a_preset_is_refused_by_a_quota_as_well(worker: Cluster, namespace: Namespace) -> None:
    await namespace.quota(**{"requests.nvidia.com/gpu": "0"})
    error = await refusal(applying(worker, await namespace.workspace(), kind="preset", model="org/m"))
    assert error.type == "PodQuotaExceeded" and "requests.nvidia.com/gpu" in error.message


async def test_pods_that_may_be_made_are_not_waited_for(worker: Cluster, namespace: Namespace) -> None:
    key = await namespace.workspace(**by_template())
    applied = await asyncio.wait_for(applying(worker, key).task, PATIENCE_S)
    assert applied.made["Deployment"]


async def test_a_quota_that_comes_while_pods_are_waited_for_is_told(worker: Cluster, namespace: Namespace) -> None:
    await namespace.quota(pods="0")
    key, workloads = (
        await namespace.workspace(**by_template()),
        Workloads(ClusterView(worker), IMAGES, first_pods=NO_CONTROLLER),
    )
    plan = a_plan(key, kind="template", model="", digest="digest-1")
    await Attempt(workloads.ensure_workload, WorkloadRequest(plan=plan, pinned=None)).task
    request = ServingRequest(workspace=key, digest="digest-1", replicas=1, steady=True)
    assert (await refusal(Attempt(workloads.wait_for_serving, request))).type == "PodQuotaExceeded"


TUNING: Final[Object] = {
    "inference": None,
    "tuning": {
        "preset": {"name": "phi-3-mini-128k-instruct"},
        "method": "lora",
        "input": {"urls": ["https://data.example.com/rows.jsonl"]},
        "output": {"image": "registry.example.com/out:1", "imagePushSecret": "push"},
    },
}


async def fetching(namespace: Namespace) -> JobRequest:
    """The first Job of a training."""
    output = TUNING["tuning"]["output"]
    plan = a_plan(
        await namespace.workspace(**TUNING),
        kind="tuning",
        method="lora",
        output_image=output["image"],
        output_secret=output["imagePushSecret"],
        volume_gib=10,
    )
    return JobRequest(plan=plan, part="fetch", pinned=PINNED)


async def test_a_job_whose_pods_are_refused_says_why(worker: Cluster, namespace: Namespace) -> None:
    await namespace.quota(pods="0")
    request = await fetching(namespace)
    error = await refusal(Attempt(TuningJobs(ClusterView(worker), IMAGES, AROUND).ensure_tuning_job, request))
    assert error.type == "PodQuotaExceeded" and "exceeded quota: small" in error.message


async def test_a_job_that_is_waited_for_says_why_it_has_no_pods(worker: Cluster, namespace: Namespace) -> None:
    await namespace.limit_range(memory="1Mi")
    request = await fetching(namespace)
    jobs = TuningJobs(ClusterView(worker), IMAGES, AROUND, first_pods=NO_CONTROLLER)
    made = await Attempt(jobs.ensure_tuning_job, request).task
    wait = JobWait(workspace=request.plan.key, part="fetch", digest=made.digest, until="started")
    assert (await refusal(Attempt(jobs.wait_for_tuning_job, wait))).type == "PodsForbidden"
