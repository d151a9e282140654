import io
import tarfile
from pathlib import Path

import pytest

from deploy.local.host import cgroups
from deploy.local.images import pause
from deploy.local.layout import Layout
from deploy.local.network import bridge


def test_hierarchies_of_v1_and_v2_differ() -> None:
    mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
    mounts += "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
    assert cgroups.hierarchies(mounts) == [
        (Path("/sys/fs/cgroup/cpu"), "cgroup"),
        (Path("/sys/fs/cgroup/unified"), "cgroup2"),
    ]


def test_every_firewall_rule_is_bound_to_the_bridge_and_marked_as_ours() -> None:
    for rule in bridge.firewall_rules(Layout.of("bench")):
        assert rule[rule.index("-i") + 1] == "myard2"
        assert rule[rule.index("--comment") + 1] == "modelyard-bench"


def test_a_hardware_address_is_local_to_this_machine_and_follows_the_address() -> None:
    assert bridge.hardware_address(Layout.of("demo").node_address(1)) == "02:00:0a:c9:00:0a"


def test_interface_names_fit_the_kernels_fifteen_characters() -> None:
    layout = Layout.of("cluster")
    assert max(len(name) for name in (layout.bridge, bridge.veth(layout, 240))) <= 15


def test_an_interface_that_went_away_by_itself_counts_as_removed_and_one_that_stays_does_not() -> None:
    bridge.remove_link("myard-is-gone")
    with pytest.raises(bridge.NetworkFailed, match="ip link delete lo: "):
        bridge.remove_link("lo")


def test_the_pause_image_holds_a_static_program_and_links_to_it(tmp_path: Path) -> None:
    program = tmp_path / "busybox"
    program.write_bytes(b"\x7fELF static")
    with tarfile.open(fileobj=io.BytesIO(pause.layer_archive(program))) as archive:
        assert archive.getmember("bin/busybox").mode == 0o755
        assert archive.getmember("bin/sleep").linkname == "busybox"


@pytest.mark.parametrize("content", [None, b"\x7fELF ... /lib64/ld-linux-x86-64.so.2"], ids=["missing", "dynamic"])
def test_a_busybox_that_would_not_run_alone_is_refused(tmp_path: Path, content: bytes | None) -> None:
    program = tmp_path / "busybox"
    if content:
        program.write_bytes(content)
    with pytest.raises(pause.PauseImageFailed, match="busybox-static"):
        pause.layer_archive(program)
