"""What each identity may do in the cluster, read from the files that are applied."""

from pathlib import Path
from typing import Any

import yaml

from activities.clients.pod_proxy import IDENTITY

RIGHTS = Path(__file__).parents[3] / "deploy" / "rbac" / "modelyard.yaml"
EVERYTHING = {"get", "list", "watch", "create", "patch", "delete"}


def verbs(role: str, group: str, resource: str) -> set[str]:
    """All verbs that a role has on a resource, of whatever rule."""
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(RIGHTS.read_text()))
    (found,) = (doc for doc in documents if doc["kind"] == "ClusterRole" and doc["metadata"]["name"] == role)
    rules = [rule for rule in found["rules"] if group in rule["apiGroups"] and resource in rule["resources"]]
    return {verb for rule in rules for verb in rule["verbs"]}


def test_the_worker_keeps_a_trainings_jobs_and_volumes() -> None:
    assert verbs("modelyard:namespaces", "batch", "jobs") == {"get", "create", "patch", "delete"}
    assert verbs("modelyard:namespaces", "", "persistentvolumeclaims") == {"get", "create", "delete"}


def test_what_is_read_everywhere_holds_no_secret() -> None:
    """Secrets and ConfigMaps are read in namespaces that take part, by a role that RoleBindings can bind."""
    for resource in ("secrets", "configmaps", "services", "persistentvolumeclaims"):
        assert not verbs("modelyard:cluster-worker", "", resource)


def test_the_worker_reads_pods_makes_none_and_asks_them_as_somebody_who_may_do_nothing_else() -> None:
    assert verbs("modelyard:cluster-worker", "", "pods") == {"get", "list", "watch"}
    for role in ("modelyard:cluster-worker", "modelyard:namespaces", "modelyard:watcher", "modelyard:admin"):
        assert not verbs(role, "", "pods/proxy") and not verbs(role, "", "pods/log")
    documents = [one for one in yaml.safe_load_all(RIGHTS.read_text()) if one["metadata"]["name"] == IDENTITY]
    (role,) = (one for one in documents if one["kind"] == "ClusterRole")
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["create", "get"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    (binding,) = (one for one in documents if one["kind"] == "ClusterRoleBinding")
    assert [subject["name"] for subject in binding["subjects"]] == [IDENTITY]


def test_the_worker_becomes_nobody_but_who_asks_pods() -> None:
    found = [
        rule
        for document in yaml.safe_load_all(RIGHTS.read_text())
        for rule in document.get("rules", ())
        if "impersonate" in rule["verbs"]
    ]
    assert [(rule["resources"], rule["resourceNames"]) for rule in found] == [(["users"], [IDENTITY])]


def test_no_role_writes_secrets_or_rights() -> None:
    for role in ("modelyard:watcher", "modelyard:cluster-worker", "modelyard:namespaces", "modelyard:admin"):
        assert verbs(role, "", "secrets") <= {"get"}
        assert not verbs(role, "rbac.authorization.k8s.io", "clusterroles")


def test_no_right_is_for_everything() -> None:
    for document in yaml.safe_load_all(RIGHTS.read_text()):
        for rule in document.get("rules", ()):
            assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
