"""Prints, as JSON, the processes that the importable commit runs in a local stack: `commit_programs.py INSTANCE`.

Run by `checkouts.py` on the sources of any commit, so it imports little, and nothing of `testing`: the tables of
`deploy.local.services` and the names of kubeconfig files.
"""

import json
import sys
from pathlib import Path
from typing import Any

import deploy
from deploy.local.cluster.kubeconfigs import file_name
from deploy.local.layout import Layout
from deploy.local.services import modelyard, temporal


def described(layout: Layout) -> dict[str, Any]:
    """Returns the commit's root, its programs with their identities, and its search attributes with their types."""
    return {
        "root": str(Path(deploy.__path__[0]).parent),
        "programs": [_program(layout, program) for program in modelyard.PROGRAMS],
        "search_attributes": {
            attribute.name: temporal.TYPES[attribute.indexed_value_type] for attribute in temporal.SEARCH_ATTRIBUTES
        },
    }


def _program(layout: Layout, program: modelyard.Program) -> dict[str, Any]:
    kubeconfig = layout.kubeconfig_of(file_name(program.identity))
    daemon = modelyard.program_daemon(layout, program, kubeconfig)
    return {
        "name": daemon.name,
        "identity": program.identity,
        "argv": list(daemon.argv),
        "env": dict(daemon.env),
        "ready": f"http://{modelyard.address(layout, program)}/readyz",
    }


if __name__ == "__main__":
    print(json.dumps(described(Layout.of(sys.argv[1]))))
