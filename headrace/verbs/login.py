"""`headrace login`."""

import os
import sys
from typing import Annotated

import msgspec
import typer

from bundles.core.errors import Invalid
from headrace.exits import Exit
from headrace.options import AsJson, example
from headrace.terminal import show

app = typer.Typer(add_completion=False)


class LoggedIn(msgspec.Struct, frozen=True):
    """The profile that was made, the server that it is for, and as whom that knows its user."""

    profile: str
    server: str
    name: str
    roles: list[str]


@app.command(
    epilog=example(
        "headrace login https://headrace.example --profile prod --browser",
        "headrace login https://headrace.example --profile prod < token.txt",
    )
)
def login(
    server: Annotated[str, typer.Argument(metavar="URL", help="The server of the admin API.")],
    profile: Annotated[str, typer.Option("--profile", help="What to call it: HEADRACE_PROFILE chooses it then.")],
    publisher: Annotated[
        str | None,
        typer.Option("--publisher", metavar="NAME", help="Log in as this trusted publisher, from its pipeline."),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser", help="Log in as yourself, through a browser on this machine.")
    ] = False,
    timeout: Annotated[
        str,
        typer.Option("--timeout", metavar="DURATION", help="How long to wait for the browser (else exit code 6)."),
    ] = "5m",
    as_json: AsJson = False,
) -> None:
    """Keep a server and a token for it as a profile. The token is asked for, or read from stdin.

    It is tried before it is kept, in a file that nobody else can read. With --browser a person logs in at the
    server's OpenID provider, for a session of 12 hours that ends after 2 without a request. With --publisher the
    token is the ID token of a CI job, which is exchanged for a session of 15 minutes: GitHub Actions is asked for
    it, and else it is in HEADRACE_ID_TOKEN, or read from stdin. No secret is printed.
    """
    from stamina.instrumentation import set_on_retry_hooks

    from api.operations.callers import WhoAmI
    from headrace.client import Client
    from headrace.profiles import Profile, check_profile_name, save_profile

    if browser and publisher is not None:
        raise Invalid("a person logs in with --browser, a pipeline with --publisher: leave one of them out")
    check_profile_name(profile)
    set_on_retry_hooks([])  # what has come of it is said in one line
    token = _secret(server, publisher, timeout if browser else None)
    with Client(server, token) as client:
        me = client.send(WhoAmI())
    save_profile(profile, Profile(server, token))
    answer = LoggedIn(profile, server, me.name, sorted(me.roles))
    show(answer, as_json, lambda console: console.print(f"{profile}: {server} as {me.name}"))


def _secret(server: str, publisher: str | None, browser_timeout: str | None) -> str:
    """What the server is shown from now on."""
    if browser_timeout is not None:
        return _person(server, browser_timeout)
    return _token() if publisher is None else _session(server, publisher)


def _person(server: str, timeout: str) -> str:
    """A session's secret for who logs in through a browser."""
    from headrace.browser_login import log_in
    from release.core.plan import parse_duration

    try:
        return log_in(server, parse_duration(timeout), lambda line: typer.echo(line, err=True))
    except TimeoutError:
        typer.echo(f"headrace: nobody logged in within {timeout}: begin again", err=True)
        raise typer.Exit(Exit.TIMED_OUT) from None


def _session(server: str, publisher: str) -> str:
    """A session's secret for the ID token of this job."""
    from headrace.ci_token import ci_token
    from headrace.client.exchange import exchange

    return exchange(server, publisher, ci_token(os.environ, server.removesuffix("/")) or _token())


def _token() -> str:
    """From the terminal without an echo, or the first line of what is piped in."""
    if sys.stdin.isatty():
        from getpass import getpass

        token = getpass("token: ").strip()
    else:
        token = sys.stdin.readline().strip()
    if not token:
        raise Invalid("give a token, or the file that it is in: headrace login URL --profile NAME < FILE")
    return token
