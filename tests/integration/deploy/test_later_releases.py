"""Images of later releases, as tests of upgrades install them: what they run is the changed code."""

from pathlib import Path

import pytest

from deploy.local.images.buildah import BuildContext, mounted_layout
from deploy.local.images.contents import CONTROL_PLANE
from deploy.local.layout import Layout
from testing.image_processes import OpenImage, opened
from testing.releases.images import AFTER_NEXT, NEXT, Release, write_image
from testing.releases.later import PATCHES

TELLS = """
import sys
from temporalio import workflow
import worker.cluster as cluster
from workflows.patches import PATCHES
import worker.registration as registration
assert registration.PATCHES is PATCHES
print(cluster.WorkspaceWorkflow.__module__, [each.id for each in PATCHES if each.id in sys.argv and each.begins])
"""


def told(image: OpenImage) -> str:
    done = image.run("python", "-c", TELLS, *PATCHES)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_this_checkout_has_no_workflow_of_a_later_release() -> None:
    with opened(Layout.of("test"), CONTROL_PLANE) as image:
        assert told(image) == "workflows.workspace []"


@pytest.mark.parametrize(("release", "begun"), [(NEXT, []), (AFTER_NEXT, list(PATCHES))], ids=["next", "after-next"])
def test_a_later_release_runs_its_own_code(release: Release, begun: list[str], tmp_path: Path) -> None:
    machine = Layout.of("test")
    with opened(machine, CONTROL_PLANE) as image:
        layout = write_image(image.layout, release, tmp_path / release.tag)
    with mounted_layout(BuildContext(machine.cache, machine.logs / "images.log"), layout) as root:
        assert told(OpenImage(layout, image.config, root)) == f"workflows.later {begun}"
