"""`headrace api`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bundles.core.errors import Invalid
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, HealthDatabase, example
from headrace.reach import refuse_listeners
from headrace.terminal import show

app = typer.Typer(add_completion=False)


class Listening(msgspec.Struct, frozen=True):
    """The URLs of the API and of its probes."""

    api: str
    probes: str


@app.command(epilog=example("headrace api --port 8090 --tls-certificate api.pem --tls-key api.key --host 0.0.0.0"))
def api(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 is any free port.")] = 8090,
    probe_port: Annotated[
        int, typer.Option("--probe-port", min=0, max=65_535, help="Where /healthz and /readyz are. 0 is any.")
    ] = 8091,
    tls_certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", help="Speak HTTPS with this certificate chain (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="The certificate's private key (PEM).")] = None,
    plain_http: Annotated[
        bool,
        typer.Option("--plain-http", help="Speak HTTP on an address that others reach: TLS ends before it."),
    ] = False,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-proxy",
            metavar="ADDRESS",
            help="Believe this proxy's X-Forwarded-For; may be repeated. Else everyone is known by its address.",
        ),
    ] = None,
    reads: Annotated[int, typer.Option("--reads", min=1, help="The most reads a minute of one credential.")] = 600,
    changes: Annotated[
        int, typer.Option("--changes", min=1, help="The most changes a minute of one credential.")
    ] = 60,
    strangers: Annotated[
        int,
        typer.Option("--strangers", min=1, help="The most requests a minute of one address without a credential."),
    ] = 30,
    connections: Annotated[int, typer.Option("--connections", min=1, help="The most at a time.")] = 1024,
    connections_each: Annotated[
        int | None,
        typer.Option(
            "--connections-each",
            min=1,
            help="The most of one address, unless it is a trusted proxy's. Else half of --connections.",
        ),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url",
            metavar="URL",
            help="The URL that users know this API by: trusted publishers' tokens are made for it.",
        ),
    ] = None,
    login: Annotated[
        Path | None,
        typer.Option("--login", metavar="FILE", help="The OpenID provider that people log in at, in TOML."),
    ] = None,
    leaks_secret: Annotated[
        Path | None,
        typer.Option(
            "--leaks-secret",
            metavar="FILE",
            help="Believe reports of leaked tokens that are signed with the secret in this file.",
        ),
    ] = None,
    leaks_keys: Annotated[
        Path | None,
        typer.Option(
            "--leaks-keys", metavar="FILE", help="The same, with one of GitHub's public keys in this file."
        ),
    ] = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    health_database: HealthDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Run the admin API: what the command line does, over HTTP. SIGTERM lets it finish and stop."""
    import asyncio

    import uvloop

    from api.core.limits import Limits
    from api.core.proxies import parse_proxies
    from bundles.adapters.scratch import scratch
    from headrace import wiring
    from headrace.access_wiring import leak_reporters
    from headrace.api_run import Settings, run_api
    from headrace.login_file import parse_public_url, read_login_file
    from serving.listening import address, listen
    from serving.tls import tls_of

    tls = tls_of(tls_certificate, tls_key, None)
    if tls is None and not plain_http:
        refuse_listeners(host)
    if login is not None and public_url is None:
        raise Invalid("people come back from their provider to the --public-url: name it beside --login")
    wiring.check_database(database)
    parse_proxies(trusted_proxy or ())
    reporters = leak_reporters(leaks_secret, leaks_keys)
    listeners = listen(host, port), listen(host, probe_port)
    scheme = "http" if tls is None else "https"
    listening = Listening(f"{scheme}://{address(listeners[0])}", f"http://{address(listeners[1])}")
    show(listening, as_json, lambda console: console.print(f"{listening.api} (probes: {listening.probes})"))
    settings = Settings(
        data=data,
        database=database,
        health_database=health_database,
        limits=Limits(reads=reads, changes=changes, strangers=strangers),
        most_connections=connections,
        share=connections_each or max(1, connections // 2),
        trusted_proxies=tuple(trusted_proxy or ()),
        public_url=None if public_url is None else parse_public_url(public_url),
        login=None if login is None else read_login_file(login),
        leak_reporters=reporters,
    )
    with scratch("headrace-api-"), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_api(settings, listeners, tls))
