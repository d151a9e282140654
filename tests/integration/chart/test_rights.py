"""Identities of the chart may do what the same identities may in any other installation, and nothing else."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.clients.pod_proxy import IDENTITY
from deploy.local.layout import REPOSITORY
from deploy.local.services.pods import NAMESPACE
from testing.helm_client import Helm, HelmFailed, Object, of_kind

FILES = (REPOSITORY / "deploy/rbac/modelyard.yaml", REPOSITORY / "deploy/admission/rights.yaml")
ACCOUNTS = {
    "modelyard:watcher": "modelyard-watcher",
    "modelyard:cluster-worker": "modelyard-worker-cluster",
    "modelyard:namespaces": "modelyard-worker-cluster",
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


def subjects(role: str) -> list[Object]:
    """Who has a role: a process, or the user as whom the worker asks pods."""
    if role == IDENTITY:
        return [{"kind": "User", "name": IDENTITY, "apiGroup": "rbac.authorization.k8s.io"}]
    return [{"kind": "ServiceAccount", "name": ACCOUNTS[role], "namespace": NAMESPACE}]


def test_each_role_is_bound_to_the_account_of_its_process_and_to_nobody_else(helm: Helm) -> None:
    bindings = of_kind(helm.rendered("aks"), "RoleBinding", "ClusterRoleBinding")
    found = {(each["roleRef"]["kind"], each["roleRef"]["name"]): each["subjects"] for each in bindings}
    wanted = {
        (each["roleRef"]["kind"], each["roleRef"]["name"])
        for each in applied(FILES)
        if each["kind"].endswith("Binding")
    }
    assert found.keys() == wanted and len(bindings) == len(wanted)
    for (_, role), whom in found.items():
        assert whom == subjects(role)


def test_roles_of_namespaces_lie_where_they_are_in_other_installations(helm: Helm) -> None:
    places = {each["metadata"]["name"]: each["metadata"]["namespace"] for each in of_kind(helm.rendered("aks"), "Role")}
    assert places == {
        each["metadata"]["name"]: each["metadata"]["namespace"] for each in applied(FILES) if each["kind"] == "Role"
    }


def test_where_namespaces_are_named_nothing_is_read_or_made_in_others(helm: Helm) -> None:
    objects = helm.rendered("aks", "namespaces={team-a,team-b}")
    for role in ("modelyard:namespaces", IDENTITY):
        bindings = [
            each for each in of_kind(objects, "RoleBinding", "ClusterRoleBinding") if each["roleRef"]["name"] == role
        ]
        assert [(each["kind"], each["metadata"]["namespace"]) for each in bindings] == [
            ("RoleBinding", "team-a"), ("RoleBinding", "team-b"),
        ]  # fmt: skip
        assert all(each["roleRef"]["kind"] == "ClusterRole" and each["subjects"] == subjects(role) for each in bindings)


@pytest.mark.parametrize("name", ["Team", "a_b", "*", "../x", ""])
def test_what_is_no_namespace_is_refused(helm: Helm, name: str) -> None:
    with pytest.raises(HelmFailed, match="namespaces"):
        helm.rendered("aks", f"namespaces[0]={name}")


def test_azures_federated_credential_is_for_the_account_of_the_cloud_worker(helm: Helm) -> None:
    accounts = {each["metadata"]["name"] for each in of_kind(helm.rendered("aks"), "ServiceAccount")}
    bicep = (REPOSITORY / "deploy/azure/resources.bicep").read_text()
    (account,) = re.findall(r"subject: 'system:serviceaccount:\$\{namespace\}:([a-z-]+)'", bicep)
    assert account in accounts
    assert f"param namespace string = '{NAMESPACE}'" in (REPOSITORY / "deploy/azure/main.bicep").read_text()
