"""The Bicep files parse, name nothing that is not declared, and say nothing that Azure's SDK does not know.

No Bicep compiler is among the tools: types and scopes beyond this are checked by `az deployment sub validate`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from azure.mgmt.containerservice import models
from pycep import BicepParser

from deploy.local.cluster.resources import DEPLOY

AZURE: Final = DEPLOY / "azure"
FILES: Final = ("main", "resources")
Document = dict[str, Any]
OTHERS: Final[Mapping[str, frozenset[str]]] = {
    "Microsoft.Authorization/roleDefinitions": frozenset(
        {"roleName", "description", "type", "permissions", "assignableScopes"}
    ),
    "Microsoft.Authorization/roleAssignments": frozenset({"roleDefinitionId", "principalId", "principalType"}),
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": frozenset(
        {"issuer", "subject", "audiences"}
    ),
    "Microsoft.ContainerRegistry/registries": frozenset({"adminUserEnabled"}),
}
"""Properties by resource, from Azure's REST reference of the versions that the files name."""


def parsed(name: str) -> Document:
    return dict(BicepParser(add_line_numbers=False).parse(text=(AZURE / f"{name}.bicep").read_text()))


def body(resource: Document) -> Document:
    """What stands between the braces, with or without a condition."""
    config: Document = resource["config"]
    inner: Document = config["config"] if "condition" in config else config
    return inner


def accessed(node: Any) -> Iterator[tuple[str, str]]:
    """Each `name.field` in it."""
    if isinstance(node, list):
        for each in node:
            yield from accessed(each)
    elif isinstance(node, dict):
        operands = node.get("operands", {})
        if node.get("type") == "property_accessor" and isinstance(operands["operand_1"], str):
            after = operands["operand_2"]
            yield operands["operand_1"], after if isinstance(after, str) else after["operator"]["operands"]["operand_1"]
            return
        for each in node.values():
            yield from accessed(each)


@pytest.mark.parametrize("name", FILES)
def test_what_is_used_is_declared_and_what_is_declared_is_used(name: str) -> None:
    file, text = parsed(name), (AZURE / f"{name}.bicep").read_text()
    declared = {each for part in ("parameters", "variables", "resources", "modules") for each in file.get(part, {})}
    assert {used for used, _ in accessed(file)} <= declared
    for each in (*file["parameters"], *file.get("variables", {})):
        assert len(re.findall(rf"\b{each}\b", text)) > 1, f"{each} is not used"


def test_the_module_gets_what_it_asks_for_and_gives_what_is_read() -> None:
    main, inner = parsed("main"), parsed("resources")
    (module,) = main["modules"].values()
    assert set(body(module)["params"]) == set(inner["parameters"])
    read = set(re.findall(r"resources\.outputs\.(\w+)", (AZURE / "main.bicep").read_text()))
    assert read == set(inner["outputs"])


@pytest.mark.parametrize(("variable", "file"), [("role", "role.json"), ("subscriptionRole", "subscription-role.json")])
def test_the_role_is_that_of_the_file(variable: str, file: str) -> None:
    role = json.loads((AZURE / file).read_text())
    assert {field for name, field in accessed(parsed("main")) if name == variable} <= role.keys()
    assert parsed("main")["variables"][variable]["value"]["function"]["parameters"]["file_path"] == file


def test_nothing_can_be_changed_in_the_subscription_but_pools_of_the_cluster() -> None:
    everywhere = json.loads((AZURE / "subscription-role.json").read_text())["Actions"]
    assert all(action.endswith("/read") and "managedClusters" not in action for action in everywhere)
    pools = json.loads((AZURE / "role.json").read_text())["Actions"]
    assert all(action.startswith("Microsoft.ContainerService/managedClusters/") for action in pools)
    text = (AZURE / "resources.bicep").read_text()
    given = re.findall(r"scope: (\w+)\n  properties: \{\n    roleDefinitionId: poolsRole", text)
    assert sorted(given) == ["cluster", "present"]
    assert "roleDefinitionId: roleDefinition.id" not in (AZURE / "main.bicep").read_text()


def test_a_registry_that_is_made_may_be_pulled_from_by_a_cluster_that_was_there_already() -> None:
    text = (AZURE / "resources.bicep").read_text()
    pull = text[text.index("\nresource pull ") :].partition("\n}\n")[0]
    assert " = if (!empty(registryName)) {\n" in pull
    for made in ("cluster", "present"):
        assert f"{made}.properties.identityProfile.kubeletidentity.objectId" in pull


def test_the_group_of_a_cluster_that_was_there_already_is_not_written() -> None:
    """What is written to a group replaces its tags, and cannot have another region."""
    text = (AZURE / "main.bicep").read_text()
    assert re.findall(r"resourceGroups@\S+ = (.*)", text) == ["if (createCluster) {"]
    module = text[text.index("\nmodule resources ") :].partition("\n}\n")[0]
    assert "\n  scope: resourceGroup(resourceGroupName)\n" in module
    assert "\n  dependsOn: [\n    group\n  ]" in module


def test_the_region_is_that_of_the_command() -> None:
    """`az deployment sub create` has a `--location` of its own: two regions would be one too many."""
    assert "\nparam location string = deployment().location\n" in (AZURE / "main.bicep").read_text()


def test_the_names_of_roles_can_differ_between_subscriptions_of_a_tenant() -> None:
    """Azure takes each name of a custom role once in a tenant, whatever its scopes are."""
    names = re.findall(r"roleName: (.*)", (AZURE / "main.bicep").read_text())
    assert names == ["'${role.Name}${roleSuffix}'", "'${subscriptionRole.Name}${roleSuffix}'"]


@pytest.mark.parametrize("name", FILES)
def test_azure_knows_every_property(name: str) -> None:
    for resource in parsed(name)["resources"].values():
        properties = body(resource).get("properties", {})
        if resource["type"] == "Microsoft.ContainerService/managedClusters":
            assert unknown(models.ManagedClusterProperties, properties) == []
        else:
            assert properties.keys() <= OTHERS.get(resource["type"], frozenset()), resource["type"]


def test_a_property_that_azure_does_not_know_would_be_found() -> None:
    wrong = {"oidcIssuer": {"enabled": True}, "agentPoolProfiles": [{"size": "x"}]}
    assert unknown(models.ManagedClusterProperties, wrong) == ["oidcIssuer", "agentPoolProfiles.size"]


def unknown(model: Any, document: Document, path: str = "") -> list[str]:
    """The fields of a document that the SDK's model does not have."""
    fields = {field._rest_name: attribute for attribute, field in model()._attr_to_rest_field.items()}
    found = []
    for key, value in document.items():
        if key not in fields:
            found.append(f"{path}{key}")
            continue
        inner = re.search(r"_models\.(\w+)", str(model.__annotations__.get(fields[key], "")))
        for child in value if isinstance(value, list) else [value]:
            if inner and isinstance(child, dict):
                found += unknown(getattr(models, inner[1]), child, f"{path}{key}.")
    return found
