"""`headrace login`."""

import os
import sys
from typing import Annotated

import msgspec
import typer

from bundles.core.errors import Invalid
from headrace.options import AsJson, example
from headrace.terminal import show

app = typer.Typer(add_completion=False)


class LoggedIn(msgspec.Struct, frozen=True):
    """The profile that was made, the server that it is for, and as whom that knows its user."""

    profile: str
    server: str
    name: str
    roles: list[str]


@app.command(epilog=example("headrace login https://headrace.example --profile prod < token.txt"))
def login(
    server: Annotated[str, typer.Argument(metavar="URL", help="The server of the admin API.")],
    profile: Annotated[str, typer.Option("--profile", help="What to call it: HEADRACE_PROFILE chooses it then.")],
    publisher: Annotated[
        str | None,
        typer.Option("--publisher", metavar="NAME", help="Log in as this trusted publisher, from its pipeline."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Keep a server and a token for it as a profile. The token is asked for, or read from stdin.

    It is tried before it is kept, in a file that nobody else can read. With --publisher the token is the ID token
    of a CI job, which is exchanged for a session of 15 minutes: GitHub Actions is asked for it, and else it is in
    HEADRACE_ID_TOKEN, or read from stdin. No secret is printed.
    """
    from stamina.instrumentation import set_on_retry_hooks

    from api.operations.callers import WhoAmI
    from headrace.client import Client
    from headrace.profiles import Profile, check_profile_name, save_profile

    check_profile_name(profile)
    set_on_retry_hooks([])  # what has come of it is said in one line
    token = _token() if publisher is None else _session(server, publisher)
    with Client(server, token) as client:
        me = client.send(WhoAmI())
    save_profile(profile, Profile(server, token))
    answer = LoggedIn(profile, server, me.name, sorted(me.roles))
    show(answer, as_json, lambda console: console.print(f"{profile}: {server} as {me.name}"))


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
