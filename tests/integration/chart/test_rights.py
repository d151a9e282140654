"""Identities of the chart may do what the same identities may in any other installation, and nothing else."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from deploy.local.layout import REPOSITORY
from deploy.local.services.pods import NAMESPACE
from testing.helm_client import Helm, Object, of_kind

FILES = (REPOSITORY / "deploy/rbac/modelyard.yaml", REPOSITORY / "deploy/admission/rights.yaml")
ACCOUNTS = {
    "modelyard:watcher": "modelyard-watcher",
    "modelyard:cluster-worker": "modelyard-worker-cluster",
    "modelyard:admin": "modelyard-admin",
    "modelyard:webhook": "modelyard-webhook",
}


def applied(files: tuple[Path, ...]) -> list[Object]:
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def rules(objects: list[Object]) -> dict[tuple[str, str], list[Any]]:
    """By kind and name of a role."""
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for each in objects:
        if each["kind"] in ("Role", "ClusterRole"):
            found[each["kind"], each["metadata"]["name"]] += each["rules"]
    return dict(found)


def test_roles_are_those_of_the_other_installations(helm: Helm) -> None:
    assert rules(list(helm.rendered("aks"))) == rules(applied(FILES))


def test_each_role_is_bound_to_the_account_of_its_process_and_to_nobody_else(helm: Helm) -> None:
    bindings = of_kind(helm.rendered("aks"), "RoleBinding", "ClusterRoleBinding")
    found = {(each["roleRef"]["kind"], each["roleRef"]["name"]): each["subjects"] for each in bindings}
    wanted = {
        (each["roleRef"]["kind"], each["roleRef"]["name"])
        for each in applied(FILES)
        if each["kind"].endswith("Binding")
    }
    assert found.keys() == wanted and len(bindings) == len(wanted)
    for (_, role), subjects in found.items():
        assert subjects == [{"kind": "ServiceAccount", "name": ACCOUNTS[role], "namespace": NAMESPACE}]


def test_azures_federated_credential_is_for_the_account_of_the_cloud_worker(helm: Helm) -> None:
    accounts = {each["metadata"]["name"] for each in of_kind(helm.rendered("aks"), "ServiceAccount")}
    bicep = (REPOSITORY / "deploy/azure/resources.bicep").read_text()
    (account,) = re.findall(r"subject: 'system:serviceaccount:\$\{namespace\}:([a-z-]+)'", bicep)
    assert account in accounts
    assert f"param namespace string = '{NAMESPACE}'" in (REPOSITORY / "deploy/azure/main.bicep").read_text()
