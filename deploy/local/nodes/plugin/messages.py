"""The messages of the kubelet's device-plugin API, version v1beta1, as far as this plugin uses them.

Field names and numbers are those of Kubernetes' `k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1/api.proto`; a field that
is not named here is skipped when it is read. Described here rather than generated, so that no compiler is needed.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE: Final = "v1beta1"
_Field = descriptor_pb2.FieldDescriptorProto
_FIELDS: Final[dict[str, tuple[tuple[str, str, bool], ...]]] = {
    "Empty": (),
    "DevicePluginOptions": (
        ("pre_start_required", "bool", False),
        ("get_preferred_allocation_available", "bool", False),
    ),
    "RegisterRequest": (
        ("version", "string", False),
        ("endpoint", "string", False),
        ("resource_name", "string", False),
        ("options", "DevicePluginOptions", False),
    ),
    "Device": (("ID", "string", False), ("health", "string", False)),
    "ListAndWatchResponse": (("devices", "Device", True),),
    "ContainerAllocateRequest": (("devices_ids", "string", True),),
    "AllocateRequest": (("container_requests", "ContainerAllocateRequest", True),),
    # A map, as it is on the wire.
    "Variable": (("key", "string", False), ("value", "string", False)),
    "ContainerAllocateResponse": (("envs", "Variable", True),),
    "AllocateResponse": (("container_responses", "ContainerAllocateResponse", True),),
}
"""By message: name, type and whether it is repeated, of the fields 1, 2, 3, ..."""
_SCALARS: Final = {"bool": _Field.TYPE_BOOL, "string": _Field.TYPE_STRING}


def _described() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="deviceplugin.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, repeated) in enumerate(fields, start=1):
            label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if kind in _SCALARS:
                added.type = _SCALARS[kind]
            else:
                added.type, added.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    return dict(message_factory.GetMessages([file], pool=descriptor_pool.DescriptorPool()))


_MESSAGES: Final = _described()


def message(name: str) -> Any:
    """The class of a message. Raises KeyError for one that is not described."""
    return _MESSAGES[f"{PACKAGE}.{name}"]
