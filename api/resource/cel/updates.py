"""What an update may not change, compared as it takes effect: a default that was written out is no change.

Left to the webhook: the provider of nodes (an annotation), a machine type that is emptied or set for the first time,
and a labelSelector with expressions, which may say the same in other words.
"""

from typing import Final

from api.resource.cel.rule import NONE, CelRule, Kind, given, same, text

_ANOTHER: Final = "make another Workspace"
_IMMUTABLE: Final = "field is immutable"
_EXPRESSIONS: Final = "resource.labelSelector.matchExpressions"
# An empty presetOptions is none, as the webhook has it; the default of accessMode is always there.
_SAME_PRESET: Final = " && ".join(
    (
        same("preset.name", NONE),
        same("preset.accessMode", "'public'"),
        "has(self.preset) == has(oldSelf.preset)",
        same("preset.presetOptions.image", "'-'"),
        same("preset.presetOptions.imagePullSecrets", "['-']"),
        same("preset.presetOptions.modelAccessSecret", "'-'"),
    )
)
UPDATES: Final = (
    CelRule(
        "U1",
        "",
        "has(self.inference) == has(oldSelf.inference)",
        text(f"Inference field cannot be toggled once set; {_ANOTHER}"),
        "inference",
        kind=Kind.UPDATE,
    ),
    CelRule(
        "U2",
        "",
        "has(self.tuning) == has(oldSelf.tuning)",
        text(f"Tuning field cannot be toggled once set; {_ANOTHER}"),
        "tuning",
        kind=Kind.UPDATE,
    ),
    CelRule(
        "U3",
        "",
        same("resource.count", "1"),
        f'"{_IMMUTABLE}: it was %d, and %d is given; {_ANOTHER}"'
        f".format([{given('resource.count', '1', 'oldSelf')}, {given('resource.count', '1')}])",
        "resource.count",
        kind=Kind.UPDATE,
    ),
    CelRule(
        "U7",
        "",
        f"size({given(_EXPRESSIONS, '[]')}) > 0 || size({given(_EXPRESSIONS, '[]', 'oldSelf')}) > 0 "
        f"|| {same('resource.labelSelector.matchLabels', '{}')}",
        text(f"{_IMMUTABLE}: nodes carry these labels; {_ANOTHER}"),
        "resource.labelSelector",
        kind=Kind.UPDATE,
    ),
    CelRule(
        "U8",
        "",
        "has(self.resource) && has(self.resource.partition) "
        "? has(oldSelf.resource) && has(oldSelf.resource.partition) "
        "&& self.resource.partition == oldSelf.resource.partition "
        ": !has(oldSelf.resource) || !has(oldSelf.resource.partition)",
        text(f"{_IMMUTABLE}; {_ANOTHER}"),
        "resource.partition",
        kind=Kind.UPDATE,
    ),
    CelRule(
        "U11",
        "inference",
        _SAME_PRESET,
        text(f"{_IMMUTABLE}; {_ANOTHER} for another model"),
        "preset",
        kind=Kind.UPDATE,
    ),
    CelRule(
        "U12",
        "inference",
        "has(self.template) == has(oldSelf.template)",
        f'"field cannot be " + (has(self.template) ? "set if it was unset" : "unset if it was set") + "; {_ANOTHER}"',
        "template",
        kind=Kind.UPDATE,
    ),
    CelRule(
        "U15",
        "tuning",
        _SAME_PRESET,
        text(f"Preset cannot be changed; {_ANOTHER} for another model"),
        "preset",
        kind=Kind.UPDATE,
    ),
    CelRule(
        "U15",
        "tuning",
        f"{given('method', NONE)}.trim().lowerAscii() == {given('method', NONE, 'oldSelf')}.trim().lowerAscii()",
        f'"Method cannot be changed: it was \'" + {given("method", NONE, "oldSelf")} + "\'; {_ANOTHER}"',
        "method",
        kind=Kind.UPDATE,
    ),
    CelRule(
        "U16",
        "tuning",
        same("input.name", NONE),
        f'"During tuning Name field cannot be changed once set; it was \'" + {given("input.name", NONE, "oldSelf")} '
        '+ "\'"',
        "input.name",
        kind=Kind.UPDATE,
    ),
)


def machine(version: str) -> CelRule:
    """From one machine to another, which is refused whoever provides nodes. What a missing one means, and whether it
    may be emptied, depends on annotations and on who wrote it."""
    machine, before = (given("resource.instanceType", NONE, one) for one in ("self", "oldSelf"))
    what = _IMMUTABLE if version == "v1alpha1" else "instanceType cannot be changed once set"
    return CelRule(
        "U4" if version == "v1alpha1" else "U6",
        "",
        f"{machine}.trim() == '' || {before}.trim() == '' "
        f"|| {machine}.trim().lowerAscii() == {before}.trim().lowerAscii()",
        f'"{what}: it was \'" + {before} + "\', and \'" + {machine} + "\' is given; {_ANOTHER}"',
        "resource.instanceType",
        kind=Kind.UPDATE,
    )
