"""`headrace serve`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from headrace.config_file import take_options
from headrace.options import DEFAULT_DATA, AsJson, Data, EdgeSecretsFile, OpenToAll, SnapshotDatabase, example
from headrace.reach import refuse_strangers, secrets_in
from headrace.terminal import show
from origin.core.limits import Limits

app = typer.Typer(add_completion=False)

DEFAULT = Limits()
_MIB = 1024 * 1024


class Renewed(msgspec.Struct, frozen=True):
    """The address whose workers are all new."""

    renewed: str


class Listening(msgspec.Struct, frozen=True):
    """The URLs of the data plane and of the probes."""

    origin: str
    probes: str


@app.command(epilog=example("headrace serve --port 8080", "headrace serve --config origin.toml --reload-config"))
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
    fast_lane: Annotated[
        bool, typer.Option("--fast-lane/--no-fast-lane", help="Send again, as bytes, what was answered before.")
    ] = True,
    edge_secrets: EdgeSecretsFile = None,
    tls_certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", help="Speak HTTPS with this certificate chain (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="The certificate's private key (PEM).")] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option("--client-ca", help="Answer only who has a certificate of this authority (PEM): the edge."),
    ] = None,
    open_to_all: OpenToAll = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=256, help="So many processes, each with its memory; SIGHUP renews them."
        ),
    ] = None,
    disk_cache_mib: Annotated[
        int, typer.Option("--disk-cache-mib", min=128, help="The most disk for copies of what the store gave.")
    ] = 1024,
    connections: Annotated[
        int, typer.Option("--connections", min=1, help="The most at a time, of each process.")
    ] = DEFAULT.connections,
    head_seconds: Annotated[
        float, typer.Option("--head-seconds", min=1, help="The longest that a request's head may take to arrive.")
    ] = DEFAULT.head_seconds,
    idle_seconds: Annotated[
        float, typer.Option("--idle-seconds", min=1, help="The longest between two requests of a connection.")
    ] = DEFAULT.idle_seconds,
    stalled_seconds: Annotated[
        float,
        typer.Option("--stalled-seconds", min=1, help="The longest that a client may take nothing of an answer."),
    ] = DEFAULT.stalled_seconds,
    reload_config: Annotated[
        bool,
        typer.Option(
            "--reload-config",
            help="Serve nothing: have the origin that runs with --workers on this --host and --port renew them.",
        ),
    ] = False,
    _config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            is_eager=True,
            callback=take_options,
            help="More of these options, in TOML: cache-mib = 512.",
        ),
    ] = None,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Run the origin. It only reads: builds, snapshots and public keys. SIGTERM lets it finish and stop."""
    import asyncio

    import uvloop

    from headrace import origin_wiring, wiring
    from origin.adapters.allocator import give_large_blocks_back
    from origin.adapters.disk_copies import DiskCopies
    from origin.reload import ask_to_reload
    from origin.server import serve as serve_origin
    from origin.workers import Seat, Supervisor
    from release.adapters.system_clock import SystemClock
    from serving.listening import address, listen
    from serving.tls import tls_of

    if not (edge_secrets or client_ca or open_to_all):
        refuse_strangers(host, "--edge-secrets or --client-ca")
    tls = tls_of(tls_certificate, tls_key, client_ca)
    edge = None if edge_secrets is None else secrets_in(edge_secrets)
    trusted = wiring.trusted_keys(data)
    wiring.check_database(database)
    if edge is not None:
        asyncio.run(edge.start())
    if reload_config:
        asyncio.run(ask_to_reload(origin_wiring.reload_socket(data, host, port)))
        renewed = Renewed(f"{host}:{port}")
        show(renewed, as_json, lambda console: console.print(f"{renewed.renewed}: all workers are new"))
        return
    seat = Seat.taken()
    listeners = (listen(host, port), listen(host, probe_port)) if seat is None else seat.listeners
    if seat is None:
        scheme = "http" if tls is None else "https"
        listening = Listening(f"{scheme}://{address(listeners[0])}", f"http://{address(listeners[1])}")
        show(listening, as_json, lambda console: console.print(f"{listening.origin} (probes: {listening.probes})"))
    if seat is None and workers is not None:
        reload = origin_wiring.reload_socket(data, host, listeners[0].getsockname()[1])
        asyncio.run(Supervisor(listeners, workers, reload).run())
        return

    async def run() -> None:
        async with wiring.store(data) as store, origin_wiring.snapshot_feed(data, database) as (feed, shards):
            await serve_origin(
                feed=feed,
                shards=shards,
                kept=origin_wiring.kept_snapshot(data),
                store=store,
                copies=DiskCopies(origin_wiring.copies_folder(data), disk_cache_mib * _MIB),
                trusted=trusted,
                clock=SystemClock(),
                listeners=listeners,
                seat=seat,
                limits=Limits(connections, head_seconds, idle_seconds, stalled_seconds),
                cache_bytes=cache_mib * _MIB,
                send_deltas=edge_keys_dictionaries,
                fast_lane=fast_lane,
                tls=tls,
                edge=edge,
            )

    give_large_blocks_back()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
