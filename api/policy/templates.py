"""Judges a pod template by the policy: what Pod Security `baseline` refuses, and what reaches beyond the own nodes.

The list of `baseline` is Kubernetes' (kubernetes.io, "Pod Security Standards", 1.34). Whether the author may create
pods at all is asked of the API server by the webhook.
"""

from collections.abc import Iterator
from typing import Final

from api import labels
from api.policy.document import Privilege, Templates, matches
from api.validation.document import Part
from api.validation.problem import shown

OWN_TAINTS: Final = (labels.GPU_TAINT_KEY, labels.GPU_RESOURCE, labels.SPOT_TAINT_KEY)
ON_EVERY_POD: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
"""Kubernetes itself adds tolerations of these."""
SYSTEM_PRIORITY: Final = "system-"
SAFE_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
SELINUX_TYPES: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
PROFILES: Final = ("", "RuntimeDefault", "Localhost")
CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")
PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS: Final = ("postStart", "preStop")
APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
Finding = tuple[Privilege, Part, str]


def privileges_taken(template: Part) -> Iterator[Finding]:
    """Yields what a template takes that `privileges` can allow: its name, where, and the words for it."""
    spec = template["spec"]
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec[field].value:
            yield "hostNamespaces", spec[field], f"{field} shares the node's"
    for volume in spec["volumes"].items():
        if volume["hostPath"].given:
            yield "hostPath", volume["hostPath"], "a hostPath is a folder of the node"
    for sysctl in spec["securityContext"]["sysctls"].items():
        if sysctl["name"].text not in SAFE_SYSCTLS:
            yield "sysctls", sysctl["name"], f"the sysctl {shown(sysctl['name'].text)} is not among the safe ones"
    if spec["priorityClassName"].text.startswith(SYSTEM_PRIORITY):
        part = spec["priorityClassName"]
        yield "systemPriority", part, f"{shown(part.text)} would evict others' pods"
    for key, value in template["metadata"]["annotations"].texts.items():
        if key.startswith(APPARMOR) and value not in ("runtime/default", "") and not value.startswith("localhost/"):
            yield "profiles", template["metadata"]["annotations"].item(key), f"{shown(value)} is no AppArmor profile"
    yield from _security(spec["securityContext"])
    for kind in CONTAINERS:
        for container in spec[kind].items():
            yield from _container(container)


def other_problems(template: Part, rules: Templates) -> Iterator[tuple[Part, str]]:
    """Yields what is not a privilege by name: a foreign ServiceAccount, a foreign taint."""
    spec = template["spec"]
    for field in ("serviceAccountName", "serviceAccount"):
        account = spec[field]
        if account.text and not matches(account.text, rules.service_accounts):
            yield account, f"the ServiceAccount {shown(account.text)} is not among those of templates"
    for toleration in spec["tolerations"].items():
        key = toleration["key"].text
        if key not in (*OWN_TAINTS, *ON_EVERY_POD) and not (key and matches(key, rules.tolerations)):
            what = f"of the taint {shown(key)}" if key else "of every taint"
            yield toleration, f"a toleration {what} leads to nodes that are not the Workspace's"


def _container(container: Part) -> Iterator[Finding]:
    context = container["securityContext"]
    if context["privileged"].value:
        yield "privileged", context["privileged"], "a privileged container is root on its node"
    if context["capabilities"]["add"].value:
        yield "capabilities", context["capabilities"]["add"], "capabilities are added"
    if context["procMount"].text not in ("", "Default"):
        yield "procMount", context["procMount"], f"procMount is {shown(context['procMount'].text)}"
    yield from _security(context)
    for port in container["ports"].items():
        if port["hostPort"].value:
            yield "hostPorts", port["hostPort"], "a hostPort is a port of the node"
    for handler in (*(container[probe] for probe in PROBES), *(container["lifecycle"][hook] for hook in HOOKS)):
        for kind in ("httpGet", "tcpSocket"):
            if handler[kind]["host"].text:
                yield "hostProbes", handler[kind]["host"], "the node is made to call another host"


def _security(context: Part) -> Iterator[Finding]:
    """Of a pod's securityContext and a container's."""
    if context["windowsOptions"]["hostProcess"].value:
        yield "hostNamespaces", context["windowsOptions"]["hostProcess"], "a host process runs on the node itself"
    for field in ("seccompProfile", "appArmorProfile"):
        kind = context[field]["type"]
        if kind.given and kind.text not in PROFILES:
            yield "profiles", kind, f"{field} is {shown(kind.text)}"
    selinux = context["seLinuxOptions"]
    if selinux["type"].text not in SELINUX_TYPES or selinux["user"].text or selinux["role"].text:
        yield "profiles", selinux, "seLinuxOptions are not those of containers"
