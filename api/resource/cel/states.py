"""What a Workspace may not hold, new or edited: how many, how long, exactly one of two.

An update may keep what the stored object breaks already. Adapters one by one, addresses, images and names of others are
left to the webhook: lists without a bound are too expensive in CEL.
"""

from typing import Final

from api.resource import mig
from api.resource.cel.rule import NONE, CelRule, Kind, given, text

_ONE_SOURCE: Final = (
    "[has(self.urls) && size(self.urls) > 0, has(self.image) && self.image != '', has(self.volumeSource)]"
    ".filter(given, given).size() == 1"
)
STATES: Final = (
    CelRule(
        "C1",
        "",
        "size(self.metadata.name) <= 54",
        "\"invalid value: '%s' has %d characters; at most 54 fit, because the Service <name>-headless may have 63\""
        ".format([self.metadata.name, size(self.metadata.name)])",
        kind=Kind.NEW,
    ),
    CelRule(
        "C1",
        "",
        "size(self.metadata.name) > 54 || self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "\"invalid value: '%s' must start with a lower-case letter and hold only lower-case letters, digits and '-', "
        'because a Service gets this name".format([self.metadata.name])',
        kind=Kind.NEW,
    ),
    CelRule(
        "C2",
        "",
        "has(self.inference) || has(self.tuning)",
        text("Either Inference or Tuning must be specified, not neither"),
        "inference",
    ),
    CelRule(
        "C3",
        "",
        "!has(self.inference) || !has(self.tuning)",
        text("Either Inference or Tuning must be specified, but not both"),
        "tuning",
    ),
    CelRule(
        "C24",
        "",
        "!has(self.tuning) || !has(self.resource) || !has(self.resource.partition)",
        text("GPU partitioning is not supported for tuning; remove partition"),
        "resource.partition",
    ),
    CelRule(
        "C41",
        "",
        f"!has(self.tuning) || {given('resource.count', '1')} <= 1",
        text("Tuning does not currently support multinode configurations; use 1"),
        "resource.count",
    ),
    CelRule(
        "M3",
        "resource.count",
        "self >= 1 && self <= 1000",
        '"invalid value: %d nodes; use 1 to 1000".format([self])',
        kind=Kind.VALUE,
    ),
    CelRule(
        "C25",
        "resource.partition",
        "self.mode != 'mig' || !has(self.count)",
        text("count is only valid for accelerator mode"),
        "count",
    ),
    CelRule(
        "C25",
        "resource.partition",
        f"self.mode != 'mig' || has(self.profile) && self.profile in {list(mig.PROFILES)}",
        f'"unknown MIG profile \'" + {given("profile", NONE)} + "\'; {mig.REMEDY}"',
        "profile",
        Kind.VALUE,
    ),
    CelRule(
        "C26",
        "resource.partition",
        "self.mode != 'accelerator' || !has(self.profile)",
        text("profile is not valid for accelerator mode"),
        "profile",
    ),
    CelRule(
        "C26",
        "resource.partition",
        "self.mode != 'accelerator' || has(self.count)",
        text("missing field(s): partition.count says how many GPUs of a node"),
        "count",
    ),
    CelRule(
        "C29",
        "inference",
        "!has(self.preset) || !has(self.template)",
        text("Preset and Template cannot be set at the same time"),
    ),
    CelRule(
        "C29",
        "inference",
        "has(self.preset) || has(self.template)",
        text("Preset or Template must be specified"),
    ),
    CelRule(
        "C35",
        "inference",
        "!has(self.adapters) || size(self.adapters) <= 10",
        '"Number of Adapters exceeds the maximum limit, maximum of 10 allowed; %d were given"'
        ".format([size(self.adapters)])",
        "adapters",
    ),
    CelRule(
        "M9",
        "inference",
        "!has(self.adapters) || size(self.adapters) == 0 || size(self.adapters) > 10 || !has(self.template) "
        "|| has(self.preset)",
        text("adapters are served beside a preset; a template brings its own server"),
        "adapters",
    ),
    CelRule(
        "C42",
        "tuning",
        "has(self.method)",
        text("invalid value: '': Method must be one of lora, qlora"),
        "method",
    ),
    CelRule(
        "C42",
        "tuning.method",
        "self.trim().lowerAscii() in ['lora', 'qlora']",
        '"invalid value: \'" + self + "\': Method must be one of lora, qlora"',
        kind=Kind.VALUE,
    ),
    CelRule("C43", "tuning", "has(self.preset)", text("missing field(s): Preset"), "preset"),
    CelRule(
        "C47",
        "tuning.input",
        _ONE_SOURCE,
        text("Exactly one of URLs, Volume, or Image must be specified"),
    ),
    CelRule(
        "C48",
        "tuning.input",
        "!has(self.urls) || size(self.urls) <= 100",
        '"%d URLs were given, and 100 are allowed; pack the data".format([size(self.urls)])',
        "urls",
    ),
    CelRule(
        "C50",
        "tuning.output",
        "!has(self.image) || self.image == '' || (has(self.imagePushSecret) && self.imagePushSecret != '')",
        text("missing field(s): Must specify imagePushSecret with destination image"),
        "imagePushSecret",
    ),
    CelRule(
        "C51",
        "tuning.output",
        "(has(self.image) && self.image != '') != has(self.volumeSource)",
        text("Exactly one of Volume or Image must be specified"),
    ),
)
