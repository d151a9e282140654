"""Judges a pod by Pod Security `restricted`: every control of the standard, as a pure function of the pod's spec.

The controls and their allowed values are those of kubernetes.io/docs/concepts/security/pod-security-standards (1.37);
`restricted` includes `baseline`. Controls of Windows pods are left out. A test compares the answers with a real API
server's.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from api.policy.templates import SAFE_SYSCTLS

Spec = dict[str, Any]

VOLUMES: Final = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
SECCOMP: Final = ("RuntimeDefault", "Localhost")
APPARMOR: Final = (None, "RuntimeDefault", "Localhost")
SELINUX_TYPES: Final = (None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")


def violations(pod: Spec) -> list[str]:
    """Returns what a namespace that enforces `restricted` would refuse; [] for a pod that it admits."""
    return [text for rule in _POD_RULES for text in rule(pod)] + [
        f"{container['name']}: {text}"
        for container in _containers(pod)
        for rule in _CONTAINER_RULES
        for text in rule(container, pod)
    ]


def _containers(pod: Spec) -> list[Spec]:
    lists = ("initContainers", "containers", "ephemeralContainers")
    return [container for name in lists for container in pod.get(name) or []]


def _security(found: Spec) -> Spec:
    return found.get("securityContext") or {}


def _namespaces(pod: Spec) -> Iterator[str]:
    yield from (f"{name} is on" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name))


def _volumes(pod: Spec) -> Iterator[str]:
    for volume in pod.get("volumes") or []:
        kinds = set(volume) - {"name"}
        yield from (f"volume {volume['name']} is of kind {kind}" for kind in sorted(kinds - VOLUMES))


def _sysctls(pod: Spec) -> Iterator[str]:
    names = [each["name"] for each in _security(pod).get("sysctls") or []]
    yield from (f"sysctl {name}" for name in names if name not in SAFE_SYSCTLS)


def _pod_options(pod: Spec) -> Iterator[str]:
    yield from _selinux(_security(pod))
    yield from _apparmor(_security(pod))


def _options(container: Spec, pod: Spec) -> Iterator[str]:
    security = _security(container)
    yield from _selinux(security)
    yield from _apparmor(security)
    if security.get("procMount") not in (None, "Default"):
        yield "procMount is not Default"


def _selinux(security: Spec) -> Iterator[str]:
    options = security.get("seLinuxOptions") or {}
    if options.get("type") not in SELINUX_TYPES or options.get("user") or options.get("role"):
        yield "seLinuxOptions has another type, a user or a role"


def _apparmor(security: Spec) -> Iterator[str]:
    if (security.get("appArmorProfile") or {}).get("type") not in APPARMOR:
        yield "appArmorProfile is Unconfined"


def _escalation(container: Spec, pod: Spec) -> Iterator[str]:
    security = _security(container)
    if security.get("privileged"):
        yield "privileged"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = security.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield "capabilities do not drop ALL"
    if added := set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        yield f"capabilities add {', '.join(sorted(added))}"


def _user(container: Spec, pod: Spec) -> Iterator[str]:
    """A container's own values go before the pod's."""
    both = _security(pod) | {name: value for name, value in _security(container).items() if value is not None}
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if both.get("runAsUser") == 0:
        yield "runAsUser is 0"
    if (both.get("seccompProfile") or {}).get("type") not in SECCOMP:
        yield "seccompProfile is not RuntimeDefault"


def _host(container: Spec, pod: Spec) -> Iterator[str]:
    """Ports of the node, and hooks that reach other hosts from it."""
    if any(port.get("hostPort") for port in container.get("ports") or []):
        yield "hostPort"
    handlers = [container.get(name) or {} for name in PROBES]
    handlers += [hook or {} for hook in (container.get("lifecycle") or {}).values() if isinstance(hook, dict)]
    if any((handler.get(kind) or {}).get("host") for handler in handlers for kind in ("httpGet", "tcpSocket")):
        yield "a probe or hook names a host"


_POD_RULES: Final[tuple[Callable[[Spec], Iterator[str]], ...]] = (_namespaces, _volumes, _sysctls, _pod_options)
_CONTAINER_RULES: Final[tuple[Callable[[Spec, Spec], Iterator[str]], ...]] = (_escalation, _user, _options, _host)
