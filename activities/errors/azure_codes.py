"""What Azure's error codes mean: one table from code and words to reason and remedy.

Read by `azure.py` (answers to our own requests, and operations that ended as failed) and by
`nodes/karpenter/failures.py` (the same errors in the words of another controller), so that a refusal has one reason
however it is told. Imports no SDK: workers without Azure's clients read it too.

Sources: "AKS error codes" and "Common deployment errors" of Azure's documentation, the troubleshooting pages that both
lead to, and public reports. Azure varies the case of codes, so it does not count. `OperationNotAllowed` and
`BadRequest` are no row: AKS uses them for quota, sizes and busy pools alike, so that their words decide.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final


@dataclass(frozen=True)
class Verdict:
    """A reason of `api/reasons.py`, and what to do about it; the remedy may be empty."""

    reason: str
    remedy: str = ""


@dataclass(frozen=True)
class _Row:
    """`codes` must match a whole code; `words`, where given, are looked for in messages that no code explains. Compiled
    when an error is read first: a worker that meets none is a MiB smaller."""

    verdict: Verdict
    _codes: str
    _words: str = ""

    @cached_property
    def codes(self) -> "re.Pattern[str]":
        written = self._codes
        return re.compile(written, re.IGNORECASE)

    @cached_property
    def words(self) -> "re.Pattern[str] | None":
        written = self._words
        return re.compile(written, re.IGNORECASE) if written else None


def _row(reason: str, remedy: str, *, codes: str, words: str = "") -> _Row:
    return _Row(Verdict(reason, remedy), codes, words)


_AGAIN: Final = "then set the annotation modelyard.dev/retry to a new value"

_ROWS: Final = (
    _row("CloudThrottled", "", codes=r"TooManyRequests|[a-z]{0,40}Throttl[a-z]{1,20}"),
    _row(
        "CloudPolicyRefused",
        "Choose what the policy allows (instanceType, or the installation's pool options such as tags and encryption), "
        f"or have its owner make an exemption, {_AGAIN}",
        codes=r"RequestDisallowedBy[a-z]{1,40}|PolicyViolation|ResourceDisallowedByPolicy",
        words=r"disallowed by (azure )?policy|disallowed by azure\b",
    ),
    _row(
        "CloudLocked",
        f"Have the lock removed that the message names (az lock list), {_AGAIN}",
        codes=r"ScopeLocked|LinkedScopeLocked|ResourceLocked",
        words=r"scope\(s\) are locked",
    ),
    _row(
        "CloudForbidden",
        f"A deny assignment forbids it, whatever the role: ask the owner of the one that is named, {_AGAIN}",
        codes=r"DenyAssignmentAuthorizationFailed",
    ),
    _row(
        "CloudForbidden",
        "The role in deploy/azure lists the rights that are needed",
        codes=r"AuthorizationFailed|LinkedAuthorizationFailed|AuthorizationPermissionMismatch|LinkedAccessCheckFailed|"
        r"AccessDenied|CustomKubeletIdentity[a-z]{0,40}Permission[a-z]{0,40}|"
        r"InvalidAuthenticationToken[a-z]{0,40}|InvalidClientSecret|AuthenticationFailed|AADSTS[0-9]{1,12}",
        words=r"does not have (authorization|permission)",
    ),
    _row(
        "SubscriptionDisabled",
        f"Have the subscription enabled again (az account show), {_AGAIN}",
        codes=r"ReadOnlyDisabledSubscription|DisabledSubscription|SubscriptionDisabled|SubscriptionNotActive|"
        r"SubscriptionIsDisabled|AccountIsDisabled",
        words=r"subscription [^ ]{0,80} ?(is disabled|is marked as read.only)",
    ),
    _row(
        "FeatureNotRegistered",
        "Register it for the subscription (az feature register, or az provider register), or have the operator set the "
        f"pool option off, {_AGAIN}",
        codes=r"SubscriptionNotEnabled[a-z]{1,60}|MissingSubscriptionRegistration|SubscriptionNotRegistered|"
        r"[a-z]{0,40}FeatureNot(Registered|Enabled|Found|Allowed)[a-z]{0,40}|NoRegisteredProviderFound|"
        r"FeatureRegistrationRequired|PreviewFeature[a-z]{0,40}",
        words=r"feature [^ ]{0,80} ?is not (enabled|registered)|subscription (does not enable|is not registered)|"
        r"not registered to use namespace",
    ),
    _row(
        "CloudBusy",
        "",
        codes=r"SetVNetOwnershipFailed|VirtualNetworkNotInSucceededState|ReferencedResourceNotProvisioned|"
        r"RetryableError[a-z]{0,40}|AnotherOperationInProgress|OperationPreempted|AKSOperationPreempted[a-z]{0,20}|"
        r"OriginalEtagNotExpect|EtagMismatch|Conflict",
        words=r"preempted by|(another|in.progress) [^.]{0,80}operation",
    ),
    _row(
        "SubnetFull",
        "Free addresses in the subnet, or have the operator name a larger one (azure.pools.subnetId and podSubnetId of "
        f"the chart), {_AGAIN}",
        codes=r"InsufficientSubnetSize|SubnetIsFull|SubnetFull|Insufficient(Pod)?SubnetSize[a-z]{0,40}|"
        r"[a-z]{0,40}SubnetI[Pp](s|Address|Addresses)?(Exhausted|Insufficient|NotEnough)",
        words=r"(not|n't) have enough (capacity for|available) IP addresses|insufficient subnet size",
    ),
    _row(
        "NetworkRefused",
        f"Correct the network, or the pool options that name it, {_AGAIN}",
        codes=r"(Invalid|Duplicate)?(Pod|Vnet|VirtualNetwork)?Subnet(s|Id)?(NotFound|Invalid|InUse|Conflict|Delegat[a-z]"
        r"{1,40}|NotAllowed|NotInSameVnet|MustBeInSameVnet|WithDelegations[a-z]{0,40})|Invalid(Vnet)?Subnet(ID)?|"
        r"LinkedInvalidPropertyId|InvalidResourceReference|VnetNotFound|VirtualNetworkNotFound|SubnetsNotInSameVnet|"
        r"[a-z]{0,20}PublicIP[a-z]{0,20}Limit[a-z]{0,20}|LoadBalancer[a-z]{0,20}Limit[a-z]{0,20}|"
        r"NetworkSecurityGroup[a-z]{1,40}|InvalidNetwork[a-z]{1,40}|NetcfgInvalidSubnet|NetworkPolic[a-z]{1,40}",
    ),
    _row(
        "SkuNotAvailable",
        "Choose another instanceType, zone or region",
        codes=r"SkuNotAvailable|NotAvailableForSubscription|VMSizeNot(Supported|Available|Allowed)|"
        r"AvailabilityZoneNotSupported|InvalidVMSize|LocationNotAvailableForResourceType|"
        r"[a-z]{0,20}SkuNot(Supported|Allowed)[a-z]{0,40}",
        words=r"VM size .{0,200} is (not|currently not) (allowed|available|supported)|"
        r"availability zone.{0,80} is not supported|zone\(s\) .{0,80} is not supported",
    ),
    _row(
        "QuotaExceeded",
        "Ask Azure for more quota or choose another instanceType",
        codes=r"(ErrCode_)?[a-z]{0,60}Quota(Exceeded|Reached|Limit|LimitReached)?",
        words=r"exceeding approved .{0,200}quota|\bquotas?\b",
    ),
    _row(
        "PoolLimitReached",
        "Delete pools that are not used",
        codes=r"[a-z]{0,20}(Agent|Node)Pool(s|Count)?(Limit|Maximum)[a-z]{0,40}",
        words=r"(maximum|limit).{0,40}(node|agent) ?pools",
    ),
    _row(
        "AllocationFailed",
        "",
        codes=r"(Zonal|Zone)?AllocationFailed|Overconstrained(Zonal)?Allocation[a-z]{0,20}|AksCapacity[a-z]{0,40}|"
        r"InsufficientCapacity[a-z]{0,20}|AllocationTimedOut|CapacityNotAvailable|SpotCapacity[a-z]{0,40}",
        words=r"instance types were unavailable|(not|n't) have sufficient capacity|experiencing high demand",
    ),
    _row(
        "ClusterStopped",
        "",
        codes=r"ClusterIsStopped|ManagedClusterNotRunning|OperationNotAllowedOnStoppedCluster",
    ),
    _row(
        "CloudRequestRefused",
        f"The resource group is being deleted, or is gone. Name another one in the installation, {_AGAIN}",
        codes=r"ResourceGroup(BeingDeleted|NotFound|DeletionBlocked)|SubscriptionNotFound",
    ),
    _row(
        "CloudRequestRefused",
        "",
        codes=r"Invalid(Parameter|Request|Property|Template|RequestContent|RequestFormat|ApiVersionParameter)"
        r"|PropertyChangeNotAllowed|BadRequestFormat|NotSupported|UnsupportedMediaType",
    ),
)
"""The first row that a code belongs to counts; without one, the first whose words are in the message. A row of refusals
of a whole scope stands before those of sizes, because a policy or a lock may speak of a size, too."""

_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>]{1,2000}")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{5,79}")
_WORDS_LOOKED_AT: Final = 4000
"""Characters of a message in which codes and words are looked for: Azure's facts come first."""
_WRAPPERS: Final = r"Conflict|RetryableError[a-z]{0,40}"
"""Codes around any refusal: they count where nothing else is told."""
_GENERIC: Final = re.compile(rf"InvalidParameter|InvalidRequest|NotSupported|{_WRAPPERS}", re.IGNORECASE)
"""Codes under which AKS tells other refusals as well: then the message's words go before the code."""
_OF_A_MACHINE: Final = re.compile(
    r"[a-z]{0,40}VMExtension[a-z]{0,60}|VMAgent[a-z]{0,40}|OSProvisioning[a-z]{0,40}", re.I
)
"""A machine that did not start tells of it in its own log, whose words say nothing about the request."""


def verdict_of(codes: Iterable[str], message: str) -> Verdict | None:
    """What the codes of an error mean, or else its message; None if neither is known."""
    told = [code for code in codes if code]
    quoted = _codes_in(message)
    by_code = _by_code([code for code in told if not _GENERIC.fullmatch(code)])
    if by_code or any(_OF_A_MACHINE.fullmatch(code) for code in (*told, *quoted)):
        return by_code
    generic = [*told, *quoted]
    return (
        _by_code([code for code in quoted if not _GENERIC.fullmatch(code)])
        or _by_words(message)
        or _by_code([code for code in generic if not re.fullmatch(_WRAPPERS, code, re.IGNORECASE)])
        or _by_code(generic)
    )


def _by_code(codes: list[str]) -> Verdict | None:
    return next((row.verdict for row in _ROWS if any(row.codes.fullmatch(code) for code in codes)), None)


def _by_words(message: str) -> Verdict | None:
    # Azure's links speak of quota (aka.ms/cpu-quota) where the matter is another one.
    text = _ADDRESS.sub(" ", message[:_WORDS_LOOKED_AT])
    return next((row.verdict for row in _ROWS if row.words is not None and row.words.search(text)), None)


def _codes_in(message: str) -> list[str]:
    """Words of a message that are written as codes are: controllers of Azure quote inner errors as text."""
    text = _ADDRESS.sub(" ", message[:_WORDS_LOOKED_AT])
    words = _WORD.findall(text)
    return [word for word in words if sum(letter.isupper() for letter in word) > 1]
