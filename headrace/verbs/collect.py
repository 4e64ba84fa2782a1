"""`headrace collect`."""

from typing import Annotated

import msgspec
import typer

from beacons.core.limits import Limits
from headrace.options import DEFAULT_DATA, AsJson, Data, EdgeSecretsFile, HealthDatabase, OpenToAll, example
from headrace.reach import refuse_strangers, secrets_in
from headrace.terminal import show

app = typer.Typer(add_completion=False)

DEFAULT = Limits()


class Listening(msgspec.Struct, frozen=True):
    """The URLs of the collector and of its probes."""

    collector: str
    probes: str


@app.command(epilog=example("headrace collect --port 8082"))
def collect(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 is any free port.")] = 8082,
    probe_port: Annotated[
        int, typer.Option("--probe-port", min=0, max=65_535, help="Where /healthz and /readyz are. 0 is any.")
    ] = 8083,
    edge_secrets: EdgeSecretsFile = None,
    open_to_all: OpenToAll = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="The most beacons in ten seconds.")
    ] = DEFAULT.beacons,
    tenant_limit: Annotated[
        int, typer.Option("--tenant-limit", min=1, help="The most beacons of one tenant in ten seconds.")
    ] = DEFAULT.beacons_of_tenant,
    waiting: Annotated[
        int, typer.Option("--waiting", min=1, help="The most accepted beacons that wait for the database.")
    ] = DEFAULT.waiting,
    connections: Annotated[
        int, typer.Option("--connections", min=1, help="The most at a time.")
    ] = DEFAULT.connections,
    request_seconds: Annotated[
        float,
        typer.Option("--request-seconds", min=1, help="The longest that a whole request may take to arrive."),
    ] = DEFAULT.request_seconds,
    idle_seconds: Annotated[
        int, typer.Option("--idle-seconds", min=1, help="The longest between two requests of a connection.")
    ] = DEFAULT.idle_seconds,
    data: Data = DEFAULT_DATA,
    health_database: HealthDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Collect beacons: what SDKs report of how they went. SIGTERM lets it write what it has, and stop."""
    import asyncio

    import uvloop

    from beacons.server import serve
    from headrace.health_wiring import check_health_database, health_store
    from origin.room import most_connections
    from release.adapters.system_clock import SystemClock
    from serving.listening import address, listen

    if not (edge_secrets or open_to_all):
        refuse_strangers(host, "--edge-secrets")
    check_health_database(health_database)
    edge = None if edge_secrets is None else secrets_in(edge_secrets)
    if edge is not None:
        asyncio.run(edge.start())
    listeners = listen(host, port), listen(host, probe_port)
    listening = Listening(f"http://{address(listeners[0])}", f"http://{address(listeners[1])}")
    show(listening, as_json, lambda console: console.print(f"{listening.collector} (probes: {listening.probes})"))

    async def run() -> None:
        async with health_store(data, health_database) as health:
            await serve(
                counting=health.counting,
                clock=SystemClock(),
                listeners=listeners,
                limits=Limits(
                    beacons=limit,
                    beacons_of_tenant=tenant_limit,
                    waiting=waiting,
                    connections=most_connections(connections),
                    request_seconds=request_seconds,
                    idle_seconds=idle_seconds,
                ),
                edge=edge,
            )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
