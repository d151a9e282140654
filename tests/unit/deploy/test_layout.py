import pytest

from deploy.local import layout as layouts


def test_instances_share_no_port_and_no_subnet() -> None:
    all_layouts = [layouts.Layout.of(name) for name in layouts.INSTANCES]
    ports = [port for each in all_layouts for port in vars(each.ports).values()]
    assert len(ports) == len(set(ports))
    networks = [net for each in all_layouts for net in (each.node_subnet, each.pod_range, each.service_range)]
    assert not any(a.overlaps(b) for i, a in enumerate(networks) for b in networks[i + 1 :])


def test_the_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/a/cache")
    monkeypatch.setenv("XDG_STATE_HOME", "/a/state")
    monkeypatch.delenv("MODELYARD_HOME", raising=False)
    layout = layouts.Layout.of("test")
    assert (str(layout.cache), str(layout.state)) == ("/a/cache/modelyard", "/a/state/modelyard/test")
    monkeypatch.setenv("MODELYARD_HOME", "/elsewhere")
    assert str(layouts.Layout.of("test").state) == "/elsewhere/test"


def test_a_stack_without_nodes_listens_on_loopback_only() -> None:
    assert layouts.Layout.of("test", with_nodes=False).address == "127.0.0.1"
    assert layouts.Layout.of("test").address == "10.201.1.1"


def test_an_unknown_instance_is_refused_with_the_choices() -> None:
    with pytest.raises(layouts.UnknownInstance, match="demo, test"):
        layouts.Layout.of("prod")


def test_node_addresses_and_pod_subnets_stay_inside_the_ranges() -> None:
    layout = layouts.Layout.of("demo")
    for number in (1, 240):
        assert layout.node_address(number) in layout.node_subnet
        assert layout.pod_subnet(number).subnet_of(layout.pod_range)
    assert str(layout.node_address(1)) == "10.201.0.10"
    assert str(layout.pod_subnet(1)) == "10.210.1.0/24"
