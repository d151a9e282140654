"""The errors that ARM and AKS return: status, code and message, as a client receives them.

AKS's resource provider returns a flat body ({"code", "details", "message", "subcode"}); ARM's front end, which checks
the token, the route and the rate, wraps its body in "error". Both shapes reach a client in production, so both are
emulated.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

PENDING_OPERATION_LINK = "https://aka.ms/aks-pending-operation"


class ErrorBody(BaseModel):
    """An error as it appears in a response or in the status of an operation."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    target: str | None = None
    details: tuple["ErrorBody", ...] = ()
    info: tuple[dict[str, Any], ...] = ()
    """ARM's `additionalInfo`: which policy refused."""

    def flat(self) -> dict[str, Any]:
        """AKS's own shape. Without details `details` is null, not empty: clients must handle that."""
        details = [detail.flat() for detail in self.details] or None
        body: dict[str, Any] = {"code": self.code, "details": details, "message": self.message, "subcode": ""}
        more = {"target": self.target, "additionalInfo": list(self.info)}
        return body | {key: value for key, value in more.items() if value}


class ArmError(Exception):
    """A refused request: HTTP status and body; `wrapped` if ARM's front end refuses, flat if AKS does."""

    def __init__(self, status: int, body: ErrorBody, *, wrapped: bool = False, headers: dict[str, str] | None = None):
        super().__init__(f"{status} {body.code}: {body.message}")
        self.status, self.body, self.wrapped, self.headers = status, body, wrapped, headers or {}

    def content(self) -> dict[str, Any]:
        return {"error": self.body.flat()} if self.wrapped else self.body.flat()


def front_end(status: int, code: str, message: str, **headers: str) -> ArmError:
    """Returns an error of ARM's front end; underscores in header names become dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ArmError(status, ErrorBody(code=code, message=message), wrapped=True, headers=named)


def bad_request(message: str, *, code: str = "BadRequest", target: str | None = None) -> ArmError:
    return ArmError(400, ErrorBody(code=code, message=message, target=target))


def invalid_parameter(parameter: str, problem: str) -> ArmError:
    message = f"The value of parameter {parameter} is invalid. Error details: {problem}."
    return bad_request(message, code="InvalidParameter", target=parameter)


def change_not_allowed(target: str) -> ArmError:
    message = f"Changing property '{target}' is not allowed."
    return bad_request(message, code="PropertyChangeNotAllowed", target=target)


def cluster_not_found(group: str, cluster: str) -> ArmError:
    resource = f"Microsoft.ContainerService/managedClusters/{cluster}"
    return front_end(
        404,
        "ResourceNotFound",
        f"The Resource '{resource}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def pool_not_found(name: str) -> ArmError:
    message = f"Agent Pool not found: {name} does not exist in the cluster."
    return ArmError(404, ErrorBody(code="NotFound", message=message))


def operation_not_allowed(message: str) -> ArmError:
    return ArmError(409, ErrorBody(code="OperationNotAllowed", message=message))


def busy(doing: str, owner: str) -> ArmError:
    """Another operation runs on `owner`. `doing` is its kind. AKS words the message differently for a create."""
    if doing == "create":
        return operation_not_allowed(
            f"Operation is not allowed because there's an in progress create node pool operation on {owner}. "
            f"See {PENDING_OPERATION_LINK} for more details"
        )
    state = {"update": "Updating", "delete": "Deleting"}.get(doing, doing)
    return operation_not_allowed(
        f"Operation is not allowed: Another operation ({owner} - {state}) is in progress, please wait for it to finish "
        f"before starting a new operation. See {PENDING_OPERATION_LINK} for more details"
    )


def cannot_stop() -> ArmError:
    return operation_not_allowed("managed cluster is not currently running, stopping cannot be performed")


def wrong_state(provisioning_state: str, power_state: str, doing: str) -> ArmError:
    """The cluster's state rules out `doing`: starting or stopping."""
    state = f"Provisioning State({provisioning_state}) and Power State({power_state})"
    return operation_not_allowed(f"managed cluster is in {state}, {doing} cannot be performed")


def pool_busy(doing: str, pool: str) -> ArmError:
    """An operation of the cluster is refused while one runs on a pool."""
    return operation_not_allowed(
        f"Managed Cluster operation is not allowed: Another operation ({doing}) is in progress on agent pool ({pool}), "
        f"please wait for it to finish before starting a new operation. See {PENDING_OPERATION_LINK} for more details"
    )


def etag_mismatch(given: str, actual: str) -> ArmError:
    message = f"Etag provided in if-match header {given} does not match etag {actual} of resource."
    return ArmError(412, ErrorBody(code="PreconditionFailed", message=message))


def etag_without_resource() -> ArmError:
    message = (
        "Resource not found but ETag header is provided. If this is a request to create, please do not provide ETag."
    )
    return ArmError(412, ErrorBody(code="PreconditionFailed", message=message))


def resource_exists(name: str) -> ArmError:
    message = f"Resource {name} already exists, but the If-None-Match header asks for it to be absent."
    return ArmError(412, ErrorBody(code="PreconditionFailed", message=message))
