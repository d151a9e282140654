"""Runs the ARM emulator: `python -m deploy.local.azure --layout-instance demo --nodes kubelet`.

The instance's layout sets the defaults; the other options override single parts of it, as tests do.
"""

import argparse
from pathlib import Path

from deploy.local.azure.files import ArmFiles
from deploy.local.azure.nodes.kubelets import Kubelets
from deploy.local.azure.nodes.machines import Machines
from deploy.local.azure.nodes.no_machines import NoMachines
from deploy.local.azure.nodes.simulated import Simulated
from deploy.local.azure.records import Settings
from deploy.local.azure.server import Endpoint, serve
from deploy.local.cluster.certificates import KeyPair, ensure_certificate
from deploy.local.layout import INSTANCES, LOOPBACK, Layout
from process.run import configure_logging


def main(argv: list[str] | None = None) -> None:
    """Reads the arguments and serves until SIGTERM or SIGINT."""
    arguments = _parser().parse_args(argv)
    configure_logging()
    layout = Layout.of(arguments.layout_instance, with_nodes=not arguments.loopback)
    pair = _key_pair(arguments, layout)
    endpoint = Endpoint(
        host=arguments.host or layout.address,
        port=arguments.port or layout.ports.arm,
        certificate=pair.certificate,
        key=pair.key,
    )
    files = ArmFiles.of(layout)
    settings = Settings(
        create_seconds=arguments.create_seconds,
        update_seconds=arguments.update_seconds,
        delete_seconds=arguments.delete_seconds,
        retry_after_seconds=arguments.retry_after_seconds,
        pool_limit=arguments.pool_limit,
    )
    serve(files, endpoint, _machines(arguments, layout), settings)


def _key_pair(arguments: argparse.Namespace, layout: Layout) -> KeyPair:
    hosts = dict.fromkeys([arguments.host or layout.address, LOOPBACK, "localhost"])
    return ensure_certificate(layout, "arm", common_name="arm", hosts=tuple(hosts))


def _machines(arguments: argparse.Namespace, layout: Layout) -> Machines:
    if arguments.nodes == "kubelet":
        return Kubelets(layout)
    if arguments.nodes == "simulated":
        return Simulated(arguments.kubeconfig or layout.admin_kubeconfig)
    return NoMachines()


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local.azure", description="ARM emulator: Azure Resource Manager with local nodes"
    )
    parser.add_argument("--layout-instance", default="demo", choices=INSTANCES, help="local stack to belong to")
    parser.add_argument("--loopback", action="store_true", help="listen on loopback: a stack without nodes")
    kinds = ("kubelet", "simulated", "none")
    parser.add_argument("--nodes", choices=kinds, default="kubelet", help="where machines come from")
    parser.add_argument("--kubeconfig", type=Path, help="cluster that simulated nodes join (default: the instance's)")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on")
    parser.add_argument("--create-seconds", type=float, default=defaults.create_seconds)
    parser.add_argument("--update-seconds", type=float, default=defaults.update_seconds)
    parser.add_argument("--delete-seconds", type=float, default=defaults.delete_seconds)
    parser.add_argument("--retry-after-seconds", type=int, default=defaults.retry_after_seconds)
    parser.add_argument("--pool-limit", type=int, default=defaults.pool_limit)
    return parser


if __name__ == "__main__":
    main()
