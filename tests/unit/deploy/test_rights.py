"""What each identity may do in the cluster, read from the files that are applied."""

from pathlib import Path
from typing import Any

import yaml

RIGHTS = Path(__file__).parents[3] / "deploy" / "rbac" / "modelyard.yaml"
EVERYTHING = {"get", "list", "watch", "create", "patch", "delete"}


def verbs(role: str, group: str, resource: str) -> set[str]:
    """All verbs that a role has on a resource, of whatever rule."""
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(RIGHTS.read_text()))
    (found,) = (doc for doc in documents if doc["kind"] == "ClusterRole" and doc["metadata"]["name"] == role)
    rules = [rule for rule in found["rules"] if group in rule["apiGroups"] and resource in rule["resources"]]
    return {verb for rule in rules for verb in rule["verbs"]}


def test_the_worker_keeps_a_trainings_jobs_and_volumes() -> None:
    assert verbs("modelyard:cluster-worker", "batch", "jobs") == EVERYTHING
    assert verbs("modelyard:cluster-worker", "", "persistentvolumeclaims") == EVERYTHING


def test_the_worker_asks_pods_and_reads_them_but_makes_none_itself() -> None:
    assert verbs("modelyard:cluster-worker", "", "pods") == {"get", "list", "watch"}
    assert verbs("modelyard:cluster-worker", "", "pods/proxy") == {"get", "create"}


def test_no_role_writes_secrets_or_rights() -> None:
    for role in ("modelyard:watcher", "modelyard:cluster-worker", "modelyard:admin"):
        assert verbs(role, "", "secrets") <= {"get"}
        assert not verbs(role, "rbac.authorization.k8s.io", "clusterroles")


def test_no_right_is_for_everything() -> None:
    for document in yaml.safe_load_all(RIGHTS.read_text()):
        for rule in document.get("rules", ()):
            assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
