"""The admin API of a running local stack, asked as a person asks it who may do everything with Workspaces."""

from functools import cache
from typing import Any, Final

import httpx

from deploy.local.cluster.kubectl import kubectl
from deploy.local.host.commands import CommandFailed
from deploy.local.layout import Layout
from deploy.local.services import modelyard
from deploy.local.stack.choices import recall
from testing.deadlines import PATIENCE_S
from testing.rights_in_effect import await_right

PERSON: Final = "admin-api-caller"


def ask_admin(layout: Layout, path: str) -> Any:
    """Returns the JSON of a GET. Raises httpx.HTTPError for a refusal too."""
    return _answer(layout, "GET", path)


def tell_admin(layout: Layout, path: str) -> Any:
    """The same of a POST."""
    return _answer(layout, "POST", path)


def _answer(layout: Layout, method: str, path: str) -> Any:
    url, headers = address_and_headers(layout)
    # Each pod of the stack has a certificate of its own, for which nobody vouches.
    answer = httpx.request(method, url + path, headers=headers, verify=False, trust_env=False, timeout=PATIENCE_S)
    return answer.raise_for_status().json()


def address_and_headers(layout: Layout) -> tuple[str, dict[str, str]]:
    """Returns the address, and what a request needs: nothing where the API is on loopback."""
    kept = recall(layout.instance)
    if kept is None or not kept.pods:
        return f"http://{modelyard.admin_address(layout)}", {}
    return f"https://{layout.address}:{layout.ports.admin}", {"Authorization": f"Bearer {_token(layout)}"}


@cache
def _token(layout: Layout) -> str:
    """Of a service account that is made for it."""
    verbs = ("--verb=get,list,update,delete", "--resource=workspaces.kaito.sh")
    for made in (
        ("serviceaccount", PERSON),
        ("clusterrole", PERSON, *verbs),
        ("clusterrolebinding", PERSON, f"--clusterrole={PERSON}", f"--serviceaccount=default:{PERSON}"),
    ):
        try:
            kubectl(layout.admin_kubeconfig, "create", *made)
        except CommandFailed as error:
            if "AlreadyExists" not in str(error):
                raise
    await_right(layout, f"system:serviceaccount:default:{PERSON}", "get", "workspaces", group="kaito.sh")
    return str(kubectl(layout.admin_kubeconfig, "create", "token", PERSON, "--duration=12h")).strip()
