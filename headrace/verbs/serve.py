"""`headrace serve`."""

import asyncio
from typing import Annotated

import msgspec
import typer

from headrace import wiring
from headrace.logs import configure_logs
from headrace.options import DEFAULT_DATA, AsJson, Data, example
from headrace.terminal import show

EPILOG = example("headrace serve --port 8080")

_MIB = 1024 * 1024


class Listening(msgspec.Struct, frozen=True):
    """The URLs of the data plane and of the probes."""

    origin: str
    probes: str


def serve(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 is any free port.")] = 8080,
    probe_port: Annotated[
        int, typer.Option("--probe-port", min=0, max=65_535, help="Where /healthz and /readyz are. 0 is any.")
    ] = 8081,
    cache_mib: Annotated[int, typer.Option("--cache-mib", min=1, help="The most memory for bodies.")] = 256,
    edge_keys_dictionaries: Annotated[
        bool,
        typer.Option(
            "--edge-keys-dictionaries",
            help="Send deltas (dcz): the edge keys its cache on Available-Dictionary, or there is none.",
        ),
    ] = False,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Run the origin. It only reads: builds, snapshots and public keys. SIGTERM lets it finish and stop."""
    import uvloop

    from origin.adapters.snapshot_file import SnapshotFile
    from origin.server import address, listen
    from origin.server import serve as serve_origin
    from release.adapters.system_clock import SystemClock

    trusted = wiring.trusted_keys(data)
    listeners = listen(host, port), listen(host, probe_port)
    listening = Listening(f"http://{address(listeners[0])}", f"http://{address(listeners[1])}")
    show(listening, as_json, lambda console: console.print(f"{listening.origin} (probes: {listening.probes})"))
    configure_logs()

    async def run() -> None:
        async with wiring.store(data) as store:
            await serve_origin(
                feed=SnapshotFile(wiring.snapshot_file(data)),
                kept=SnapshotFile(wiring.kept_snapshot_file(data)),
                store=store,
                trusted=trusted,
                clock=SystemClock(),
                listeners=listeners,
                cache_bytes=cache_mib * _MIB,
                send_deltas=edge_keys_dictionaries,
            )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
