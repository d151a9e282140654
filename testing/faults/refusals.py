"""The reason that each refusal of the ARM emulator has to get (deploy/local/azure/refusals.py has their bodies)."""

from typing import Final

REASONS: Final = {
    "refused-by-policy": "CloudPolicyRefused",
    "role-missing": "CloudForbidden",
    "scope-locked": "CloudLocked",
    "subscription-disabled": "SubscriptionDisabled",
    "feature-not-registered": "FeatureNotRegistered",
    "subnet-full": "SubnetFull",
}
"""What no other try of the same purchase mends: told at the request, or by the operation that it began (`late`)."""
