"""The webhook's registration: what is asked about, and what an outage may hold up."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from admin.webhook.app import PATH
from admin.webhook.settings import WebhookSettings
from deploy.local.layout import Layout
from deploy.local.services.modelyard import PROGRAMS, WEBHOOK, programs, settings
from deploy.local.services.webhook import RIGHTS, WEBHOOKS, configuration

DOCUMENT = yaml.safe_load(WEBHOOKS.read_text())
SERVICE = yaml.safe_load((WEBHOOKS.parent / "service.yaml").read_text())


def test_only_creations_and_updates_of_workspaces_are_asked_about() -> None:
    rules = [rule for hook in DOCUMENT["webhooks"] for rule in hook["rules"]]
    assert [rule["operations"] for rule in rules] == [["CREATE"], ["UPDATE"]]
    for rule in rules:
        assert (rule["apiGroups"], rule["resources"], rule["scope"]) == (["kaito.sh"], ["workspaces"], "Namespaced")
        assert rule["apiVersions"] == ["v1alpha1", "v1beta1"]


def test_new_workspaces_fail_closed_and_nothing_waits_long() -> None:
    create, update = DOCUMENT["webhooks"]
    assert (create["failurePolicy"], update["failurePolicy"]) == ("Fail", "Ignore")
    assert all(hook["timeoutSeconds"] <= 5 and hook["sideEffects"] == "None" for hook in (create, update))


def test_files_and_process_mean_the_same_service_path_secret_and_configuration() -> None:
    process = WebhookSettings()
    services = [hook["clientConfig"]["service"] for hook in DOCUMENT["webhooks"]]
    names = {(each["name"], each["namespace"], each["path"], each["port"]) for each in services}
    assert names == {(process.webhook_service, process.system_namespace, PATH, SERVICE["spec"]["ports"][0]["port"])}
    assert (SERVICE["metadata"]["name"], SERVICE["metadata"]["namespace"]) == (
        process.webhook_service,
        process.system_namespace,
    )
    assert process.webhook_address.endswith(f":{SERVICE['spec']['ports'][0]['targetPort']}")
    assert DOCUMENT["metadata"]["name"] == process.webhook_configuration
    named = [name for role in yaml.safe_load_all(RIGHTS.read_text()) for name in _names_in(role)]
    assert sorted(named) == [process.webhook_configuration, process.webhook_secret]


def _names_in(role: dict[str, Any]) -> list[str]:
    rules = role.get("rules") or []
    return [name for rule in rules for name in rule.get("resourceNames", [])]


def test_a_local_webhook_is_asked_by_address() -> None:
    hooks = configuration("127.0.0.1:18445")["webhooks"]
    assert [hook["clientConfig"] for hook in hooks] == [{"url": f"https://127.0.0.1:18445{PATH}"}] * 2


def test_an_existing_cluster_gets_no_webhook_that_it_cannot_reach() -> None:
    assert programs(Layout.of("test", with_nodes=True)) == (*PROGRAMS, WEBHOOK)
    assert programs(Layout.of("test", with_nodes=False)) == PROGRAMS


def test_the_local_process_serves_where_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings(Layout.of("test"), WEBHOOK, tmp_path).items():
        monkeypatch.setenv(name, value)
    found = WebhookSettings()
    assert found.webhook_address == "127.0.0.1:18545"
    assert "127.0.0.1" in found.hosts
    assert found.metrics_address == "127.0.0.1:18186"
