"""The policy of the values is what the processes that judge by it read, and Helm refuses what they would refuse."""

from pathlib import Path

import pytest
import yaml

from api.policy.document import Policy
from api.policy.reading import parse_policy
from api.reference.policy import policy_page
from deploy.local.services.chart import CHART, RELEASE
from testing.helm_client import Helm, HelmFailed, Object, named, of_kind, values

JUDGES = {"modelyard-worker-cluster", "modelyard-worker-cloud", "modelyard-webhook"}


def policy_in(objects: tuple[Object, ...]) -> Policy:
    return parse_policy(named(objects, "ConfigMap", "modelyard-policy")["data"]["policy.yaml"])


def test_without_values_it_is_the_default_policy(helm: Helm) -> None:
    assert policy_in(helm.rendered("aks")) == Policy()


def test_the_example_of_the_page_arrives_as_it_is_written(helm: Helm, tmp_path: Path) -> None:
    example = policy_page().partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "values.yaml"
    file.write_text(example)
    text = helm("template", RELEASE, str(CHART), *values("aks"), "--values", str(file))
    found = policy_in(tuple(document for document in yaml.safe_load_all(text) if document))
    written = parse_policy(yaml.safe_dump(yaml.safe_load(example)["policy"]))
    for namespace in ("team", "research", "research-a", "batch"):
        assert dict(found.rules_of(namespace)) == dict(written.rules_of(namespace))
    assert (found.contact, found.installation) == (written.contact, written.installation)


def test_whoever_judges_has_it_mounted_and_nobody_else(helm: Helm) -> None:
    mounted = set()
    for deployment in of_kind(helm.rendered("aks"), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        [container] = pod["containers"]
        given = {each["name"]: each.get("value") for each in container["env"]}
        volumes = {each["name"]: each for each in pod["volumes"]}
        if "policy" in volumes:
            mounted.add(deployment["metadata"]["name"])
            [mount] = [each for each in container["volumeMounts"] if each["name"] == "policy"]
            assert "subPath" not in mount, "the kubelet would never renew it"
            assert given["MODELYARD_POLICY"] == f"{mount['mountPath']}/policy.yaml"
            assert volumes["policy"]["configMap"]["name"] == "modelyard-policy"
        else:
            assert "MODELYARD_POLICY" not in given
    assert mounted == JUDGES


@pytest.mark.parametrize(
    "setting",
    [
        "policy.defaults.nodes=many",
        "policy.defaults.nodez=3",
        "policy.defaults.templates.privileges={root}",
        "policy.installation.dollarsPerHour=-1",
        "policy.namespaces[0].rules.nodes=3",
    ],
)
def test_a_mistake_is_refused_before_anything_is_applied(helm: Helm, setting: str) -> None:
    with pytest.raises(HelmFailed, match="policy"):
        helm.rendered("aks", setting)


def test_no_limit_is_written_out(helm: Helm) -> None:
    found = policy_in(helm.rendered("aks", "policy.defaults.nodes=unlimited", "policy.defaults.dollarsPerHour=50"))
    assert (found.defaults.nodes, found.defaults.dollars_per_hour) == ("unlimited", 50)
