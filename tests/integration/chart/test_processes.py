"""The pods run the processes that there are, with settings that these read, and can be reached where others look."""

import argparse
import importlib.util
from collections.abc import Callable
from typing import Any, get_args

import pytest
import yaml
from pydantic_settings import BaseSettings
from temporalio.envconfig import ClientConfigProfile

from activities.clients.azure import AzureSettings
from activities.contract import queues
from activities.contract.plan import Deadlines
from activities.nodes.aks.pool_options import AKS_DEFAULTS, PoolSettings
from activities.nodes.gpus.offers import GpuOffering, verdict
from activities.nodes.gpus.plugins import kept_plugin
from admin.settings import AdminSettings
from admin.webhook.registration import NOT_BEING_DELETED
from admin.webhook.settings import WebhookSettings
from api import labels
from deploy.chart_values.azure import Pools
from deploy.images.release import reference_in, version
from deploy.local.images.contents import Device, images_for
from deploy.local.services.chart import CHART, RELEASE
from deploy.local.services.modelyard import PROGRAMS, WEBHOOK
from deploy.local.services.pods import NAMESPACE
from deploy.local.services.temporal import SEARCH_ATTRIBUTES, dynamic_config
from process.health import PATHS
from process.policy import PolicySettings
from process.settings import ProcessSettings, TemporalSettings
from testing.helm_client import Helm, Object, named, of_kind, values
from tests.builders import a_plan
from worker.__main__ import queues_of
from worker.capacity import Capacity
from worker.queue_settings import QueueSettings
from worker.settings import WorkerSettings

SETTINGS: dict[str, list[type[BaseSettings]]] = {
    "watcher": [ProcessSettings],
    "worker-cluster": [WorkerSettings, PolicySettings],
    "worker-cloud": [QueueSettings, AzureSettings, PoolSettings, PolicySettings],
    "admin": [AdminSettings],
    "webhook": [WebhookSettings, PolicySettings],
}
OF_TEMPORAL: list[type[BaseSettings]] = [TemporalSettings]


def container_of(objects: tuple[Object, ...], process: str, kind: str = "Deployment") -> dict[str, Any]:
    [container] = named(objects, kind, f"modelyard-{process}")["spec"]["template"]["spec"]["containers"]
    return dict(container)


def environment(objects: tuple[Object, ...], process: str) -> dict[str, str]:
    """What has a value; not what comes from Secrets."""
    return {each["name"]: each["value"] for each in container_of(objects, process)["env"] if "value" in each}


@pytest.fixture
def set_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    def put(variables: dict[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


def test_the_same_processes_run_as_in_a_local_stack(helm: Helm) -> None:
    found = {each["metadata"]["name"] for each in of_kind(helm.rendered("aks"), "Deployment")}
    assert found == {f"modelyard-{program.name}" for program in (*PROGRAMS, WEBHOOK)}
    for program in (*PROGRAMS, WEBHOOK):
        assert container_of(helm.rendered("aks"), program.name)["args"] == ["-m", program.module, *program.arguments]
        assert importlib.util.find_spec(program.module) is not None


def test_every_queue_has_a_worker(helm: Helm) -> None:
    polled = [container_of(helm.rendered("aks"), name)["args"][-1] for name in ("worker-cluster", "worker-cloud")]
    assert sorted(queue for text in polled for queue in queues_of(text)) == sorted(queues.ALL)
    with pytest.raises(argparse.ArgumentTypeError):
        queues_of("gone")


@pytest.mark.parametrize("process", SETTINGS)
def test_each_variable_is_a_setting_of_its_process(
    helm: Helm, process: str, set_environment: Callable[[dict[str, str]], None]
) -> None:
    variables = environment(helm.rendered("aks"), process)
    known = {
        f"{model.model_config['env_prefix']}{name}".upper()
        for model in [*SETTINGS[process], *OF_TEMPORAL]
        for name in model.model_fields
    }
    assert {name for name in variables if name.startswith("MODELYARD_")} <= known
    set_environment(variables)
    for model in SETTINGS[process]:
        model()  # raises for a value that the process would not start with


def test_values_arrive_as_what_they_are(helm: Helm, set_environment: Callable[[dict[str, str]], None]) -> None:
    changed = helm.rendered(
        *("aks", "azure.pools.osDiskGib=512", "azure.pools.encryptionAtHost=true", "settings.deadlines.serving=601"),
        *("settings.allowedHosts={data.example}", "settings.tuningEnvironment.NCCL_DEBUG=INFO"),
    )
    set_environment(environment(changed, "worker-cloud") | environment(changed, "worker-cluster"))
    worker, pools = WorkerSettings(), PoolSettings()
    assert (worker.deadlines.serving, worker.allowed_hosts) == (601, ("data.example",))
    assert environment(changed, "worker-cluster")["MODELYARD_DEADLINES"].count(":") == len(Deadlines.model_fields)
    assert (worker.tuning_environment, worker.with_cloud) == ({"NCCL_DEBUG": "INFO"}, True)
    assert (pools.os_disk_type, pools.os_disk_gib, pools.encryption_at_host) == ("Ephemeral", 512, True)
    assert (pools.tags, pools.subnet_id[-13:]) == ({"cost-center": "4711"}, "subnets/nodes")
    assert AzureSettings().cluster == "models-aks"


@pytest.mark.parametrize("device", get_args(Device))
def test_images_of_models_are_those_that_are_pushed(
    helm: Helm, set_environment: Callable[[dict[str, str]], None], device: Device
) -> None:
    rendered = helm.rendered("aks", f"image.device={device}")
    set_environment(environment(rendered, "worker-cluster"))
    worker = WorkerSettings()
    told = {worker.runtime_image, worker.fetch_image, worker.tune_image, worker.data_image}
    told.add(container_of(rendered, "worker-cluster")["image"])
    pushed = {reference_in("contoso.azurecr.io", image, version()) for image in images_for(device)}
    assert told == pushed


@pytest.mark.parametrize("process", ["worker-cluster", "worker-cloud"])
def test_the_version_of_workers_is_that_of_their_image(
    helm: Helm, set_environment: Callable[[dict[str, str]], None], process: str
) -> None:
    def told(*values: str) -> str:
        set_environment(environment(helm.rendered("aks", *values), process))
        return QueueSettings().worker_version

    assert told() == version()
    assert told("image.controlPlane.tag=0.2.0") == "0.2.0"
    digest = f"image.controlPlane.digest=sha256:{'1234567890abcdef' * 4}"
    assert told("image.controlPlane.tag=0.2.0", digest) == "0.2.0-1234567890ab"
    assert told("temporal.workers.version=blue", digest) == "blue"
    assert QueueSettings().worker_versioning
    told("temporal.workers.versioning=false")
    assert not QueueSettings().worker_versioning


@pytest.mark.parametrize("process", ["worker-cluster", "worker-cloud"])
def test_the_capacity_of_workers_arrives(
    helm: Helm, set_environment: Callable[[dict[str, str]], None], process: str
) -> None:
    set_environment(environment(helm.rendered("aks"), process))
    assert QueueSettings().worker_capacity == Capacity()
    changed = helm.rendered("aks", "temporal.workers.capacity.polls=20", "temporal.workers.capacity.memory=60")
    set_environment(environment(changed, process))
    assert QueueSettings().worker_capacity == Capacity(polls=20, memory=60)


def test_further_variables_reach_their_process_only(helm: Helm) -> None:
    rendered = helm.rendered("aks", "watcher.environment.HTTPS_PROXY=http://proxy.example:3128")
    assert environment(rendered, "watcher")["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert "HTTPS_PROXY" not in environment(rendered, "webhook")


def test_every_pool_option_arrives_as_it_was_set(helm: Helm, set_environment: Callable[[dict[str, str]], None]) -> None:
    """All at once, each with a value of its own: one that is passed on under another's name is seen."""
    group = "/subscriptions/s/resourceGroups/g/providers"
    given = Pools(
        subnetId=f"{group}/Microsoft.Network/virtualNetworks/v/subnets/of-nodes",
        podSubnetId=f"{group}/Microsoft.Network/virtualNetworks/v/subnets/of-pods",
        capacityReservationGroupId=f"{group}/Microsoft.Compute/capacityReservationGroups/kept",
        osDiskType="Managed",
        osDiskGib=512,
        encryptionAtHost=True,
        gpuManagement="Unmanaged",
        tags={"cost-center": "0815", "owner": 'team "a", b=c'},
    )
    assert not [name for name, usual in AKS_DEFAULTS if getattr(given, name) == usual], "every option is set"
    setting = ("--set-json", f"azure.pools={given.model_dump_json(by_alias=True)}")
    text = helm("template", RELEASE, str(CHART), *values("aks"), *setting)
    rendered = tuple(document for document in yaml.safe_load_all(text) if document)
    set_environment(environment(rendered, "worker-cloud"))
    assert PoolSettings().model_dump() == given.model_dump()


@pytest.mark.parametrize(("value_set", "tls"), [("own-cluster", False), ("aks", True), ("temporal-cloud", True)])
def test_temporal_is_configured_as_its_sdk_reads_it(helm: Helm, value_set: str, tls: bool) -> None:
    rendered = helm.rendered(value_set)
    variables = environment(rendered, "worker-cluster")
    profile = ClientConfigProfile.load(override_env_vars=variables, disable_file=True)
    assert (profile.address, profile.namespace) == (variables["TEMPORAL_ADDRESS"], variables["TEMPORAL_NAMESPACE"])
    assert (profile.tls is not None and not profile.tls.disabled) is tls
    mounted = [mount["mountPath"] for mount in container_of(rendered, "worker-cluster")["volumeMounts"]]
    for name, path in variables.items():
        if name.endswith("_PATH"):
            assert path.rpartition("/")[0] in mounted


@pytest.mark.parametrize(
    ("group", "secret", "setting"),
    [("apiKey", "temporal-cloud", "temporal_api_key_file"), ("payloadKeys", "ours", "temporal_payload_keys_file")],
)
def test_keys_are_files_that_can_be_renewed(
    helm: Helm, set_environment: Callable[[dict[str, str]], None], group: str, secret: str, setting: str
) -> None:
    rendered = helm.rendered("temporal-cloud", f"temporal.{group}.key=token", f"temporal.{group}.secret={secret}")
    for process in SETTINGS.keys() - {"webhook"}:
        set_environment(environment(rendered, process))
        file = getattr(TemporalSettings(), setting)
        assert file is not None and file.name == "token"
        [mount] = [
            each for each in container_of(rendered, process)["volumeMounts"] if each["mountPath"] == str(file.parent)
        ]
        volumes = named(rendered, "Deployment", f"modelyard-{process}")["spec"]["template"]["spec"]["volumes"]
        [volume] = [each for each in volumes if each["name"] == mount["name"]]
        items = [{"key": "token", "path": "token"}]
        assert volume["secret"] == {"secretName": secret, "items": items, "defaultMode": 0o440}
        assert "subPath" not in mount


def test_the_webhook_gets_no_key_of_temporals(helm: Helm) -> None:
    webhook = named(
        helm.rendered("temporal-cloud", "temporal.payloadKeys.secret=ours"), "Deployment", "modelyard-webhook"
    )
    assert "ours" not in str(webhook) and "temporal-cloud" not in str(webhook)


def test_the_embedded_temporal_is_the_one_that_processes_are_told(helm: Helm) -> None:
    rendered = helm.rendered("embedded-temporal")
    host, _, port = environment(rendered, "watcher")["TEMPORAL_ADDRESS"].partition(":")
    service = named(rendered, "Service", "modelyard-temporal")
    assert (host, int(port)) == (f"modelyard-temporal.{NAMESPACE}.svc", service["spec"]["ports"][0]["port"])
    arguments = container_of(rendered, "temporal", "StatefulSet")["args"]
    assert arguments[-len(dynamic_config()) :] == dynamic_config()
    assert all(any(text.startswith(f"{each.name}=") for text in arguments) for each in SEARCH_ATTRIBUTES)


def test_probes_and_metrics_are_asked_where_processes_answer(helm: Helm) -> None:
    rendered = helm.rendered("aks")
    for process in SETTINGS:
        container, variables = container_of(rendered, process), environment(rendered, process)
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert variables["MODELYARD_METRICS_ADDRESS"] == f"0.0.0.0:{ports['http']}"
        asked = [container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
        assert all(each["path"] in PATHS and each["port"] == "http" for each in asked)
        [endpoint] = named(rendered, "PodMonitor", f"modelyard-{process}")["spec"]["podMetricsEndpoints"]
        assert endpoint["port"] in ports and endpoint["path"] in PATHS


def test_the_api_server_is_sent_where_the_webhook_answers(
    helm: Helm, set_environment: Callable[[dict[str, str]], None]
) -> None:
    rendered = helm.rendered("aks")
    set_environment(environment(rendered, "webhook"))
    settings = WebhookSettings()
    registered = named(rendered, "ValidatingWebhookConfiguration", settings.webhook_configuration)
    for hook in registered["webhooks"]:
        called = hook["clientConfig"]["service"]
        assert f"{called['name']}.{called['namespace']}.svc" in settings.hosts
        [port] = named(rendered, "Service", called["name"])["spec"]["ports"]
        ports = {each["name"]: each["containerPort"] for each in container_of(rendered, "webhook")["ports"]}
        assert (port["port"], ports[port["targetPort"]]) == (called["port"], int(settings.webhook_address[-4:]))


def test_nothing_of_the_registration_is_left_for_the_process_to_change_but_the_bundle(helm: Helm) -> None:
    create, update = of_kind(helm.rendered("aks"), "ValidatingWebhookConfiguration")[0]["webhooks"]
    assert create["failurePolicy"] == update["failurePolicy"] == "Fail"
    assert update["matchConditions"] == NOT_BEING_DELETED
    assert "caBundle" not in create["clientConfig"] | update["clientConfig"]


@pytest.mark.parametrize(
    ("settings", "secret"),
    [
        (("source=cert-manager", "issuer.name=inside"), "modelyard-webhook-tls"),
        (("source=secret", "secret=mine", "caBundle=Q0E="), "mine"),
    ],
)
def test_a_certificate_of_others_is_served_and_trusted(
    helm: Helm, settings: tuple[str, ...], secret: str, set_environment: Callable[[dict[str, str]], None]
) -> None:
    rendered = helm.rendered("aks", *(f"webhook.certificate.{setting}" for setting in settings))
    set_environment(environment(rendered, "webhook"))
    folder = str(WebhookSettings().webhook_certificate_folder)
    [mount] = [each for each in container_of(rendered, "webhook")["volumeMounts"] if each["mountPath"] == folder]
    volumes = named(rendered, "Deployment", "modelyard-webhook")["spec"]["template"]["spec"]["volumes"]
    [volume] = [each for each in volumes if each["name"] == mount["name"]]
    assert volume["secret"]["secretName"] == secret
    registered = named(rendered, "ValidatingWebhookConfiguration", "modelyard")
    bundles = {hook["clientConfig"].get("caBundle") for hook in registered["webhooks"]}
    if secret == "mine":
        assert bundles == {"Q0E="} and not of_kind(rendered, "Certificate")
        return
    made = named(rendered, "Certificate", "modelyard-webhook")
    assert (made["spec"]["secretName"], made["spec"]["issuerRef"]["name"]) == (secret, "inside")
    assert made["spec"]["dnsNames"] == WebhookSettings().hosts
    wanted = {"cert-manager.io/inject-ca-from": f"{NAMESPACE}/{made['metadata']['name']}"}
    assert (registered["metadata"]["annotations"], bundles) == (wanted, {None})


def test_only_the_cloud_worker_has_the_clouds_identity_and_no_token_of_the_clusters(helm: Helm) -> None:
    rendered = helm.rendered("aks")
    for process in SETTINGS:
        account = named(rendered, "ServiceAccount", f"modelyard-{process}")
        pod = named(rendered, "Deployment", f"modelyard-{process}")["spec"]["template"]
        assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"]
        cloud, talks = process == "worker-cloud", process != "worker-cloud"
        assert ("azure.workload.identity/use" in pod["metadata"]["labels"]) is cloud
        assert ("azure.workload.identity/client-id" in account["metadata"].get("annotations", {})) is cloud
        assert pod["spec"]["automountServiceAccountToken"] is talks
        assert any("AZURE_SUBSCRIPTION_ID" in name for name in environment(rendered, process)) is cloud


@pytest.mark.parametrize("value_set", ["own-cluster", "embedded-temporal", "air-gapped"])
def test_without_node_pools_there_is_no_cloud_worker(helm: Helm, value_set: str) -> None:
    names = {each["metadata"]["name"] for each in of_kind(helm.rendered(value_set), "Deployment", "ServiceAccount")}
    assert "modelyard-worker-cloud" not in names and "modelyard-worker-cluster" in names
    assert environment(helm.rendered(value_set), "worker-cluster")["MODELYARD_CLOUD_WORKER"] == "false"


def test_the_device_plugin_runs_on_the_nodes_that_are_bought(helm: Helm) -> None:
    rendered = helm.rendered("aks")
    pod = named(rendered, "DaemonSet", "modelyard-device-plugin")["spec"]["template"]["spec"]
    tolerated = {f"{each['key']}={each['value']}:{each['effect']}" for each in pod["tolerations"] if each.get("value")}
    assert tolerated == {labels.GPU_TAINT, f"{labels.SPOT_TAINT_KEY}=spot:NoSchedule"}
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    chosen = [(each["key"], each["values"]) for term in terms for each in term["matchExpressions"]]
    assert (labels.ACCELERATOR, [labels.ACCELERATOR_NVIDIA]) in chosen
    plugin = kept_plugin(named(rendered, "DaemonSet", "modelyard-device-plugin"))
    assert plugin is not None and verdict(a_plan(spot=True), [plugin], []).outcome == "passed"


@pytest.mark.parametrize(
    ("settings", "offered"),
    [
        ((), GpuOffering()),
        (("devicePlugin.enabled=false", "azure.pools.gpuManagement=Managed"), GpuOffering(managed=True)),
        (("devicePlugin.enabled=false", "settings.gpusOfferedBy=other"), GpuOffering("other")),
    ],
)
def test_the_worker_is_told_who_offers_gpus(
    helm: Helm,
    settings: tuple[str, ...],
    offered: GpuOffering,
    set_environment: Callable[[dict[str, str]], None],
) -> None:
    set_environment(environment(helm.rendered("aks", *settings), "worker-cluster"))
    assert WorkerSettings().gpu_offering == offered


@pytest.mark.parametrize(
    ("settings", "secret"),
    [
        ((), None),
        (("source=cert-manager", "issuer.name=inside"), "modelyard-admin-tls"),
        (("source=secret", "secret=mine"), "mine"),
    ],
)
def test_people_are_sent_where_the_admin_api_answers_over_tls(
    helm: Helm, settings: tuple[str, ...], secret: str | None, set_environment: Callable[[dict[str, str]], None]
) -> None:
    chosen = [f"admin.certificate.{setting}" for setting in settings]
    rendered = helm.rendered("aks", "admin.hosts={admin.example}", "admin.audiences={ours}", *chosen)
    set_environment(environment(rendered, "admin"))
    found = AdminSettings()
    found.check()
    assert (found.plain, found.admin_authentication, found.admin_audiences) == (False, "kubernetes", ["ours"])
    service = named(rendered, "Service", "modelyard-admin")
    ports = {each["name"]: each["containerPort"] for each in container_of(rendered, "admin")["ports"]}
    [port] = service["spec"]["ports"]
    assert f"0.0.0.0:{ports[port['targetPort']]}" == found.admin_address
    assert {f"modelyard-admin.{NAMESPACE}.svc", "admin.example", "localhost"} <= found.hosts
    mounts = {each["mountPath"]: each["name"] for each in container_of(rendered, "admin")["volumeMounts"]}
    volumes = named(rendered, "Deployment", "modelyard-admin")["spec"]["template"]["spec"]["volumes"]
    if secret is None:
        assert found.admin_certificate_folder is None
        return
    [volume] = [each for each in volumes if each["name"] == mounts[str(found.admin_certificate_folder)]]
    assert volume["secret"]["secretName"] == secret
    if secret != "mine":
        made = named(rendered, "Certificate", "modelyard-admin")["spec"]
        assert made["secretName"] == secret
        assert set(made["dnsNames"]) <= found.hosts and "admin.example" in made["dnsNames"]
