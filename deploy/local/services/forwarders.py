"""TCP forwarders of a stack whose control plane runs as pods: pods reach Temporal, people reach the admin service.

Temporal's dev server listens on loopback only, and a Service's address is another one after each installation; what a
layout promises is an address and port that stay.
"""

from functools import partial
from typing import Final

from deploy.local.cluster.kubectl import kubectl
from deploy.local.host.daemons import Daemon
from deploy.local.host.probes import answers, port_open
from deploy.local.layout import Layout
from deploy.local.services.pods import NAMESPACE

TEMPORAL: Final = "temporal-forwarder"
ADMIN: Final = "admin-forwarder"
NAMES: Final = (TEMPORAL, ADMIN)


def temporal_forwarder(layout: Layout) -> Daemon:
    """From the layout's address to the dev server."""
    return _forwarder(layout, TEMPORAL, layout.ports.temporal, layout.temporal_address)


def admin_forwarder(layout: Layout) -> Daemon:
    """From the layout's address to the chart's Service. Raises CommandFailed where there is none."""
    service = ("-n", NAMESPACE, "get", "service", "modelyard-admin", "-o", "jsonpath={.spec.clusterIP}")
    return _forwarder(layout, ADMIN, layout.ports.admin, f"{kubectl(layout.admin_kubeconfig, *service)}:443")


def address(layout: Layout, name: str) -> str:
    """Returns host:port of a forwarder of this name."""
    return f"{layout.address}:{layout.ports.temporal if name == TEMPORAL else layout.ports.admin}"


def ready(layout: Layout, name: str) -> bool:
    """Returns whether the forwarder listens; that of the admin service, whether that answers."""
    if name == ADMIN:
        return answers(f"https://{address(layout, name)}/readyz")
    return port_open(layout.address, layout.ports.temporal)


def _forwarder(layout: Layout, name: str, port: int, target: str) -> Daemon:
    listen = f"TCP-LISTEN:{port},bind={layout.address},reuseaddr,fork"
    argv = ("socat", listen, f"TCP:{target}")
    return Daemon(name=name, argv=argv, ready=partial(ready, layout, name), deadline_s=60.0)
