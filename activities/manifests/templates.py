"""The pod of a user's template: as its author wrote it, with a readiness probe where it has none. Pure.

Ready has to mean that somebody answers; without a probe a container is ready as soon as it runs. `serving.py` places
the pod, and `api/pods/template.py` reads where its server listens.
"""

from typing import Final

from activities.clients.kubernetes import Object
from api.pods.template import TemplateNeeds

PROBE_PERIOD_S: Final = 5
PROBE_FAILURES: Final = 3
_FROM_LOG: Final = {"terminationMessagePolicy": "FallbackToLogsOnError"}
"""What a container that failed wrote last then stays in its pod's status, where it has no message of its own."""


def template_pod(template: Object, needs: TemplateNeeds) -> Object:
    """Returns the pod's spec, with what `needs` says is missing."""
    spec = dict(template.get("spec") or {})
    for kind in ("initContainers", "containers"):
        if spec.get(kind):
            spec[kind] = [_completed(one, needs) for one in spec[kind]]
    return spec


def _completed(container: Object, needs: TemplateNeeds) -> Object:
    probe = {"readinessProbe": _answers_on(needs.port)}
    is_server = container.get("name") == needs.server and not needs.probed
    return _FROM_LOG | container | (probe if is_server else {})


def _answers_on(port: int) -> Object:
    return {"tcpSocket": {"port": port}, "periodSeconds": PROBE_PERIOD_S, "failureThreshold": PROBE_FAILURES}
