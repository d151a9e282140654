"""Paths of the Kubernetes API, and what metrics call them."""

import pytest

from activities.clients.kubernetes_paths import kind_of, path_of


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/apis/policy", "versions"),
        (path_of("Workspace", "team", "w"), "workspaces"),
        (path_of("Workspace", "team", "w") + "/status", "workspaces/status"),
        (path_of("Deployment", "team"), "deployments"),
        (path_of("Node"), "nodes"),
        (path_of("Pod", "team", "p") + "/proxy/v1/completions", "pods/proxy"),
        ("/readyz", "readyz"),
    ],
)
def test_a_path_is_counted_by_what_it_is_about_and_never_by_name(path: str, kind: str) -> None:
    assert kind_of(path) == kind
