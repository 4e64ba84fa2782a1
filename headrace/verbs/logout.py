"""`headrace logout`."""

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from bundles.core.errors import Failed, HeadraceError
from headrace.options import AsJson, example
from headrace.terminal import show

if TYPE_CHECKING:
    from headrace.profiles import Profile

app = typer.Typer(add_completion=False)


class LoggedOut(msgspec.Struct, frozen=True):
    """The profile that is forgotten, the server that it was for, and whether it had a session, which was ended."""

    profile: str
    server: str
    session_ended: bool = False


@app.command(epilog=example("headrace logout prod"))
def logout(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="As `headrace login --profile` has it.")],
    as_json: AsJson = False,
) -> None:
    """Forget a profile and its token. A session is ended; a token stays valid until `headrace token revoke`.

    Where the server does not answer the profile is forgotten all the same, and the exit code is 1.
    """
    from headrace.profiles import forget_profile

    forgotten = forget_profile(profile)
    if forgotten.is_session:
        _end(profile, forgotten)
    answer = LoggedOut(profile, forgotten.server, forgotten.is_session)
    ended = ", and the session is ended" if forgotten.is_session else ""
    show(answer, as_json, lambda console: console.print(f"{profile}: {forgotten.server} is forgotten{ended}"))


def _end(name: str, profile: "Profile") -> None:
    from stamina.instrumentation import set_on_retry_hooks

    from headrace.client.login import end_session

    set_on_retry_hooks([])  # what has come of it is said in one line
    try:
        end_session(profile.server, profile.token)
    except HeadraceError as fault:
        raise Failed(f"{name} is forgotten, but its session goes on until it ends by itself: {fault}") from None
