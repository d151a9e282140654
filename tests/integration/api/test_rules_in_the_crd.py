"""A real API server without a webhook refuses by the CRD's rules what the webhook would, in the same words, and never
stands in the way of what leaves a Workspace's wishes alone.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from api.resource.cel import rules
from api.validation import Problem, problems_on_create, problems_on_update
from api.validation.rules import rule_table
from deploy.local.cluster.owner_client import ClusterApiError, read, request
from deploy.local.layout import Layout
from tests.integration.api.rule_cases import (
    BUILD,
    BYO,
    CASES,
    CLAIM,
    HARMLESS,
    MACHINE,
    PARTITION,
    TEMPLATE,
    Case,
    adapters,
)
from tests.unit.api.validation.conftest import GONE

Obj = dict[str, Any]
JSON, MERGE = "application/json", "application/merge-patch+json"
VERSIONS = ("v1alpha1", "v1beta1")
IN_CEL = frozenset(rule.id for version in VERSIONS for rule in rules(version)) | {"U5"}
"""U5 is U6 where nodes are bought: the CRD cannot tell them apart, and says what both say."""
ALWAYS = frozenset({"U1", "U2", "U3", "U8", "U11", "U12", "U15", "U16"})
"""Rules of updates that CEL holds whole."""
PAIRS, SEED = 300, 12


@pytest.fixture(autouse=True, scope="module")
def needs_rules(has_rules: bool) -> None:
    if not has_rules:
        pytest.skip("this API server is older than the rules")


@pytest.fixture(scope="module")
def namespace(api_server: Layout) -> str:
    name = f"t-{os.urandom(4).hex()}"
    request(api_server, "POST", "/api/v1/namespaces", {"metadata": {"name": name}}, JSON)
    return name


@pytest.fixture(scope="module")
def stored(api_server: Layout, only_shapes: Any, namespace: str) -> dict[str, Obj]:
    """What was there before the CRD had rules, by name: the Workspace before each update, and each wrong new one."""
    with only_shapes():
        cases = [placed(case.new if case.old is None else case.old, namespace) for case in (*CASES, *HARMLESS)]
        pairs = [placed(old, namespace) for old, _ in any_pairs()]
        return {each["metadata"]["name"]: created(api_server, each) for each in (*cases, *pairs)}


def placed(document: Obj, namespace: str) -> Obj:
    return document | {"metadata": document["metadata"] | {"namespace": namespace}}


def collection(document: Obj) -> str:
    return f"/apis/{document['apiVersion']}/namespaces/{document['metadata']['namespace']}/workspaces"


def created(layout: Layout, document: Obj) -> Obj:
    finalized = document | {"metadata": document["metadata"] | {"finalizers": ["example.com/finalizer"]}}
    return request(layout, "POST", collection(document), finalized, JSON)


def refusal(layout: Layout, method: str, path: str, body: Any) -> str:
    """What the API server says, empty if it takes it; nothing is stored."""
    try:
        request(layout, method, f"{path}?dryRun=All", body, JSON)
    except ClusterApiError as error:
        assert error.status == 422, error
        return str(error)
    return ""


def replacing(layout: Layout, before: Obj, new: Obj) -> str:
    """What the API server says of the new one in place of the stored one."""
    version = {"resourceVersion": before["metadata"]["resourceVersion"]}
    path = f"{collection(new)}/{new['metadata']['name']}"
    return refusal(layout, "PUT", path, new | {"metadata": new["metadata"] | version})


def judged(layout: Layout, stored: dict[str, Obj], namespace: str, case: Case) -> tuple[str, list[Problem]]:
    """What the API server and the webhook's rules say of it."""
    new = placed(case.new, namespace)
    if case.old is None:
        another = new | {"metadata": new["metadata"] | {"name": new["metadata"]["name"][::-1]}}
        return refusal(layout, "POST", collection(new), another), problems_on_create(another)
    before = stored[new["metadata"]["name"]]
    # The request's version is what both judge by, whichever the object is stored in.
    return replacing(layout, before, new), problems_on_update(before | {"apiVersion": new["apiVersion"]}, new)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_server_refuses_in_the_webhooks_words(
    api_server: Layout, stored: dict[str, Obj], namespace: str, case: Case
) -> None:
    said, problems = judged(api_server, stored, namespace, case)
    (problem,) = [each for each in problems if each.rule == case.rule]
    assert problem.message in said
    # The API server says no field for a rule about metadata, which a CRD does not describe.
    assert problem.path.startswith("metadata") or f"{problem.path}: Invalid value" in said, said


def test_every_rule_of_the_crd_is_the_webhooks_and_has_a_case() -> None:
    both = {(rule.id, rule.at, rule.holds, rule.field) for version in VERSIONS for rule in rules(version)}
    wanted = Counter(id_ for id_, *_ in both)
    assert wanted.keys() <= {row.id for row in rule_table().values() if row.asked != "never"}
    assert Counter(case.rule for case in CASES) >= wanted


@pytest.mark.parametrize("case", HARMLESS, ids=str)
def test_what_the_webhook_takes_is_no_change_here_either(
    api_server: Layout, stored: dict[str, Obj], namespace: str, case: Case
) -> None:
    assert judged(api_server, stored, namespace, case) == ("", [])


@pytest.mark.parametrize("case", [case for case in CASES if case.old is None], ids=str)
def test_a_workspace_that_broke_a_rule_before_there_was_one_can_be_kept_and_let_go(
    api_server: Layout, stored: dict[str, Obj], namespace: str, case: Case
) -> None:
    before = stored[case.new["metadata"]["name"]]
    path = f"{collection(before)}/{before['metadata']['name']}"
    noted = request(api_server, "PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE)
    assert noted["metadata"]["labels"] == {"a": "b"}
    written = request(api_server, "PATCH", f"{path}/status", {"status": {"message": "kept"}}, MERGE)
    assert written["status"]["message"] == "kept"
    for section in {"inference", "tuning"} & before.keys():
        edited = request(api_server, "PATCH", path, {section: {"config": "other"}}, MERGE)
        assert edited[section]["config"] == "other"
    request(api_server, "DELETE", path)
    request(api_server, "PATCH", path, {"metadata": {"finalizers": None}}, MERGE)
    assert read(api_server, path) is None


CHOICES: dict[str, list[Any]] = {
    "resource.count": [GONE, 0, 1, 2, 1000, 1001],
    MACHINE: [GONE, "", "standard_nc24ads_a100_v4", "Standard_ND96isr_H100_v5"],
    "resource.labelSelector": [
        {}, {"matchLabels": {"apps": "other"}},
        {"matchExpressions": [{"key": "apps", "operator": "In", "values": ["phi"]}]},
    ],
    PARTITION: [
        {"mode": "mig", "profile": "1g.10gb"}, {"mode": "mig"}, {"mode": "mig", "profile": "1g.10gb", "count": 1},
        {"mode": "accelerator"}, {"mode": "accelerator", "count": 1, "profile": "x"}, {"mode": "mig", "profile": "x"},
    ],
    "inference": [GONE, {"preset": {"name": "phi-4"}}, {"template": TEMPLATE}, {}],
    "inference.preset": [GONE, {"name": "phi-4"}, {"name": "phi-4-mini-instruct", "presetOptions": {}}],
    "inference.template": [GONE, TEMPLATE],
    "inference.adapters": [GONE, [], adapters(1), adapters(10), adapters(11), adapters(12)],
    "tuning": [GONE, BUILD.tuning()["tuning"]],
    "tuning.preset": [GONE, {"name": "phi-4"}, {"name": "phi-4", "accessMode": "private"}],
    "tuning.method": [GONE, "", "lora", " QLoRA ", "dora"],
    "tuning.input": [
        {"name": "talks"}, {"urls": ["https://e.org/a"]}, {"image": "e.org/a:1", "volumeSource": CLAIM}, {"image": ""},
        {"name": "talks", "urls": [f"https://e.org/{number}" for number in range(101)]},
    ],
    "tuning.output": [
        {}, {"image": "e.org/a:1"}, {"image": "e.org/a:1", "imagePushSecret": "s", "volumeSource": CLAIM},
        {"volumeSource": CLAIM}, {"image": "", "imagePushSecret": ""},
    ],
    "metadata.annotations": [BYO, {}],
}  # fmt: skip


def any_workspace(chance: random.Random, name: str, version: str, purpose: str) -> Obj:
    """To serve or to train, with a few fields as `CHOICES` has them."""
    make = BUILD.tuning if purpose == "tuning" else BUILD.serving
    other = "inference" if purpose == "tuning" else "tuning"
    paths = [path for path in CHOICES if not path.startswith(f"{other}.")]
    # Sections before what is in them.
    changed = sorted(chance.sample(paths, chance.choice((0, 1, 1, 2, 3))))
    if any(path == purpose for path in changed):
        changed = [path for path in changed if not path.startswith(f"{purpose}.")]
    changes = {path: chance.choice(CHOICES[path]) for path in changed}
    return make({"metadata.name": name} | changes, f"kaito.sh/{version}")


def any_pairs() -> Iterator[tuple[Obj, Obj]]:
    """Two Workspaces of one name; half of the pairs are of one purpose and one version."""
    chance = random.Random(SEED)
    for number in range(PAIRS):
        version, purpose = chance.choice(VERSIONS), chance.choice(("inference", "tuning"))
        other = chance.choice(("inference", "tuning", purpose, purpose, purpose))
        name = f"{chance.choice(('w', 'w', 'w', '7b', 'a' * 55))}-{number}"
        yield any_workspace(chance, name, version, purpose), any_workspace(chance, name, version, other)


def ruled_by(problems: list[Problem]) -> set[str]:
    return {problem.rule for problem in problems} & IN_CEL


def test_any_new_workspace_is_judged_alike(api_server: Layout, cluster_kubectl: Any) -> None:
    refused = 0
    for _, new in any_pairs():
        document = placed(new, "default")
        said = refusal(api_server, "POST", collection(document), document)
        assert bool(said) == bool(ruled_by(problems_on_create(document))), f"{document}\n{said}"
        assert "refused by rule" not in said, "the message could not be made"
        refused += bool(said)
    assert PAIRS / 4 < refused < PAIRS * 3 / 4, "a corpus of one kind shows nothing"


def test_any_update_that_the_server_refuses_the_webhook_refuses(
    api_server: Layout, stored: dict[str, Obj], namespace: str
) -> None:
    """And the other way round, but for what only the webhook knows: machines, selectors, and whether a value that was
    wrong before is wrong in another way now."""
    refused = taken = 0
    for old, new in any_pairs():
        before, document = stored[old["metadata"]["name"]], placed(new, namespace)
        problems = problems_on_update(before | {"apiVersion": old["apiVersion"]}, document)
        said = replacing(api_server, before, document)
        assert not said or ruled_by(problems), f"{old}\n{new}\n{said}"
        assert said or not ALWAYS & ruled_by(problems), f"{old}\n{new}\n{problems}"
        again = before | {"metadata": before["metadata"] | {"annotations": {"note": "mine"}}}
        assert replacing(api_server, before, again) == "", f"{old}"
        refused, taken = refused + bool(said), taken + (not said)
    assert refused > PAIRS / 4 and taken > PAIRS / 10, "a corpus of one kind shows nothing"
