"""The names under which the API server finds the webhook, as they stand in its certificate."""

import ipaddress
from collections.abc import Sequence

from cryptography import x509


def service_hosts(service: str, namespace: str) -> list[str]:
    """The names of a Service; the API server asks for the last one that it was given, `<service>.<namespace>.svc`."""
    return [f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.cluster.local", f"{service}.{namespace}"]


def alternative_names(hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    """DNS names and IP addresses, each as what it is."""
    return x509.SubjectAlternativeName([_alternative_name(host) for host in hosts])


def _alternative_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
