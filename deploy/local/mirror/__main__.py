"""Runs the mirror: `python -m deploy.local.mirror --instance demo`, or with `--root`, `--host` and `--port`.

Derives addresses and folders from the command line; `server.py` serves, `repositories/catalog.py` builds the content.
"""

import argparse
from pathlib import Path

import uvicorn

from deploy.local.layout import INSTANCES, Layout
from deploy.local.mirror.delivery import Pace
from deploy.local.mirror.mirror import Mirror
from deploy.local.mirror.repositories.catalog import repositories_folder
from deploy.local.mirror.server import build_app
from process.run import configure_logging

# Grace period of open connections when the mirror is stopped.
SHUTDOWN_S = 5


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.mirror", description=__doc__.splitlines()[0])
    where = parser.add_argument_group("where (an instance, or all by itself)")
    where.add_argument("--instance", choices=INSTANCES, help="take root, host, port and rules from this stack")
    where.add_argument("--without-nodes", action="store_true", help="with --instance: listen on loopback only")
    where.add_argument("--root", type=Path, help="folder with models/ and datasets/")
    where.add_argument("--host", help="address to listen on")
    where.add_argument("--port", type=int, help="port to listen on")
    where.add_argument("--rules", type=Path, help="file that keeps access rules and pace over a restart")
    parser.add_argument("--latency", type=float, metavar="SECONDS", help="wait before the first byte of every file")
    parser.add_argument("--bandwidth", type=int, metavar="BYTES", help="bytes per second and connection")
    parser.add_argument("--page-size", type=int, default=1000, help="entries in one page of a folder listing")
    given = parser.parse_args(argv)
    if given.instance is None and None in (given.root, given.host, given.port):
        parser.error("give --instance, or all of --root, --host and --port")
    return given


def main() -> None:
    given = arguments()
    configure_logging()
    if given.instance:
        layout = Layout.of(given.instance, with_nodes=not given.without_nodes)
        given.root = given.root or repositories_folder(layout.cache)
        given.host, given.port = given.host or layout.address, given.port or layout.ports.mirror
        given.rules = given.rules or layout.state / "mirror.json"
    if not given.root.is_dir():
        raise SystemExit(f"{given.root} is no folder: build what is served first, or name another with --root")
    throttled = given.latency is not None or given.bandwidth is not None
    pace = Pace(latency_s=given.latency or 0.0, bytes_per_second=given.bandwidth) if throttled else None
    mirror = Mirror.open(given.root, rules_file=given.rules, pace=pace, page_size=given.page_size)
    # uvicorn's access log would write the queries of signed links down.
    uvicorn.run(
        build_app(mirror),
        host=given.host,
        port=given.port,
        access_log=False,
        log_level="info",
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


if __name__ == "__main__":
    main()
