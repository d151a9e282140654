"""Paths of the Kubernetes API, and what metrics call them."""

import pytest

from activities.clients.api_server.paths import NameRefused, kind_of, path_of, pod_proxy_path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/apis/policy", "versions"),
        (path_of("Workspace", "team", "w"), "workspaces"),
        (path_of("Workspace", "team", "w") + "/status", "workspaces/status"),
        (path_of("Deployment", "team"), "deployments"),
        (path_of("Node"), "nodes"),
        (pod_proxy_path("team", "p", 5000, "/v1/completions"), "pods/proxy"),
        ("/readyz", "readyz"),
    ],
)
def test_a_path_is_counted_by_what_it_is_about_and_never_by_name(path: str, kind: str) -> None:
    assert kind_of(path) == kind


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../../victim/secrets/regcred", "../../../nodes?limit=1#", "a/b", "a?b", "a#b", "a%2fb", "a\\b",
     "a b", "a\n", "A", "-a", "a-", "a..b", "é", "a" * 254, "pod:5000"],
)  # fmt: skip
def test_a_name_that_kubernetes_does_not_allow_never_becomes_a_path(name: str) -> None:
    with pytest.raises(NameRefused, match="the name of a Secret has lower-case letters"):
        path_of("Secret", "team", name)
    with pytest.raises(NameRefused):
        pod_proxy_path("team", name, 5000, "/")


@pytest.mark.parametrize("namespace", ["..", "a/b", "../nodes", "a.b", "A", "a" * 64])
def test_a_namespace_that_kubernetes_does_not_allow_never_becomes_a_path(namespace: str) -> None:
    with pytest.raises(NameRefused, match="a namespace has lower-case letters"):
        path_of("Secret", namespace, "one")


@pytest.mark.parametrize("name", ["a", "a.b-c.d", "0", "a" * 253])
def test_every_name_that_kubernetes_allows_does(name: str) -> None:
    assert path_of("Secret", "team", name) == f"/api/v1/namespaces/team/secrets/{name}"
