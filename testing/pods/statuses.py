"""Pod statuses as a kubelet reports them: running, between two runs, ended. Pure functions."""

from datetime import UTC, datetime

from activities.clients.kubernetes import Object


def running_status(pod: Object, address: str, began: str, restarts: int = 0) -> Object:
    """All containers have run and been ready since `began`."""
    state = {"state": {"running": {"startedAt": began}}, "ready": True, "started": True, "restartCount": restarts}
    return _status(pod, address, "Running", [state] * len(pod["spec"]["containers"]))


def waiting_status(pod: Object, address: str, ended: Object, restarts: int) -> Object:
    """Between two runs: the last container has failed, the others still run."""
    back_off = {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}
    running = {"state": {"running": {"startedAt": ended["startedAt"]}}, "ready": True, "started": True}
    failed = {"state": {"waiting": back_off}, "lastState": {"terminated": ended}, "ready": False, "started": False}
    beside = [{**running, "restartCount": 0}] * (len(pod["spec"]["containers"]) - 1)
    return _status(pod, address, "Running", [*beside, {**failed, "restartCount": restarts}])


def unpulled_status(pod: Object, address: str, message: str) -> Object:
    """The image of the last container cannot be pulled; the others run."""
    began = now()
    running = {"state": {"running": {"startedAt": began}}, "ready": True, "started": True, "restartCount": 0}
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": message}}, "ready": False}
    beside = [running] * (len(pod["spec"]["containers"]) - 1)
    return _status(pod, address, "Pending", [*beside, {**waiting, "started": False, "restartCount": 0}])


def ended_status(pod: Object, address: str, ended: Object, restarts: int) -> Object:
    """The last container decides the phase: it does the work."""
    quiet = {**ended, "exitCode": 0, "message": "", "reason": "Completed"}
    state = {"ready": False, "started": False, "restartCount": restarts}
    beside = [{**state, "restartCount": 0, "state": {"terminated": quiet}}] * (len(pod["spec"]["containers"]) - 1)
    last = {**state, "state": {"terminated": ended}}
    return _status(pod, address, "Failed" if ended["exitCode"] else "Succeeded", [*beside, last])


def _status(pod: Object, address: str, phase: str, states: list[Object]) -> Object:
    ready = str(all(state["ready"] for state in states))
    stamp = now()
    conditions = [
        {"type": type_, "status": status, "lastTransitionTime": stamp}
        for type_, status in (("Initialized", "True"), ("Ready", ready), ("ContainersReady", ready))
    ]
    return {
        "phase": phase,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": address,
        "startTime": pod["status"].get("startTime") or stamp,
        "conditions": conditions,
        "initContainerStatuses": [_named(one, _prepared(stamp)) for one in pod["spec"].get("initContainers") or ()],
        "containerStatuses": [_named(one, state) for one, state in zip(pod["spec"]["containers"], states, strict=True)],
    }


def _named(container: Object, state: Object) -> Object:
    return {"name": container["name"], "image": container.get("image", ""), "imageID": "", **state}


def _prepared(stamp: str) -> Object:
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": stamp, "finishedAt": stamp}
    return {"state": {"terminated": ended}, "ready": True, "restartCount": 0}


def now() -> str:
    """Returns the current time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
