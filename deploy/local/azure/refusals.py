"""Refusals of what surrounds a cluster: policy, role, lock, subscription, features, network; as ARM and AKS word them.

Each is told in two ways: at once, as the answer to the request, or late, by the operation that had begun. Pure;
`fault_effects.py` decides when.
"""

from dataclasses import dataclass
from typing import Any, Final

from deploy.local.azure.errors import ArmError, ErrorBody

AT_ONCE, LATE = "plain", "late"
_DISALLOWED_SIZES: Final = {
    "type": "PolicyViolation",
    "info": {
        "policyDefinitionDisplayName": "Allowed virtual machine size SKUs",
        "policyDefinitionEffect": "deny",
        "policyAssignmentDisplayName": "GPU sizes of this department",
        "policyAssignmentName": "gpu-sizes",
        "evaluationDetails": {
            "evaluatedExpressions": [
                {
                    "result": "False",
                    "expressionKind": "Field",
                    "expression": "Microsoft.ContainerService/managedClusters/agentPools/vmSize",
                    "path": "properties.vmSize",
                    "operator": "In",
                }
            ]
        },
    },
}


@dataclass(frozen=True)
class Refusal:
    """One error. `{pool}` in the message is filled in; `wrapped`: ARM's front end says it, not AKS."""

    imitates: str
    status: int
    code: str
    message: str
    wrapped: bool = True
    info: tuple[dict[str, Any], ...] = ()


REFUSALS: Final[dict[str, Refusal]] = {
    "refused-by-policy": Refusal(
        "an Azure policy does not allow the machine type: 403 RequestDisallowedByPolicy, with the policy's name",
        403,
        "RequestDisallowedByPolicy",
        "Resource '{pool}' was disallowed by policy. Reasons: 'this size is not approved'. See error details for "
        "policy resource IDs.",
        info=(_DISALLOWED_SIZES,),
    ),
    "role-missing": Refusal(
        "the identity lacks a right: 403 LinkedAuthorizationFailed about the subnet",
        403,
        "LinkedAuthorizationFailed",
        "The client has permission to perform action 'Microsoft.ContainerService/managedClusters/agentPools/write' on "
        "scope '{pool}'; however, it does not have permission to perform action(s) "
        "'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s).",
    ),
    "scope-locked": Refusal(
        "a lock forbids writes: 409 ScopeLocked",
        409,
        "ScopeLocked",
        "The scope '{pool}' cannot perform write operation because following scope(s) are locked: "
        "'/subscriptions/s/resourceGroups/rg'. Please remove the lock and try again.",
    ),
    "subscription-disabled": Refusal(
        "the subscription has expired: 409 ReadOnlyDisabledSubscription",
        409,
        "ReadOnlyDisabledSubscription",
        "The subscription 's' is disabled and therefore marked as read only. You cannot perform any write actions on "
        "this subscription until it is re-enabled.",
    ),
    "feature-not-registered": Refusal(
        "encryption at host is not registered: 400 SubscriptionNotEnabledEncryptionAtHost",
        400,
        "SubscriptionNotEnabledEncryptionAtHost",
        "Subscription does not enable EncryptionAtHost.",
        wrapped=False,
    ),
    "subnet-full": Refusal(
        "the subnet has too few addresses: 400 InsufficientSubnetSize",
        400,
        "InsufficientSubnetSize",
        "Pre-allocated IPs 62 exceeds IPs available 27 in Subnet Cidr 10.0.0.0/27, Subnet Name nodes.",
        wrapped=False,
    ),
}


def at_once(kind: str, pool: str) -> ArmError:
    """The answer to the request."""
    found = REFUSALS[kind]
    return ArmError(found.status, _body(found, pool), wrapped=found.wrapped)


def late(kind: str, pool: str) -> ErrorBody:
    """The error of the operation, inside AKS's own."""
    message = f"Provisioning of resource(s) for agent pool {pool} failed."
    return ErrorBody(code="CreateVMSSAgentPoolFailed", message=message, details=(_body(REFUSALS[kind], pool),))


def _body(found: Refusal, pool: str) -> ErrorBody:
    return ErrorBody(code=found.code, message=found.message.replace("{pool}", pool), info=found.info)
