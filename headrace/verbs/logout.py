"""`headrace logout`."""

from typing import Annotated

import msgspec
import typer

from headrace.options import AsJson, example
from headrace.terminal import show

app = typer.Typer(add_completion=False)


class LoggedOut(msgspec.Struct, frozen=True):
    """The profile that is forgotten, and the server that it was for."""

    profile: str
    server: str


@app.command(epilog=example("headrace logout prod"))
def logout(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="As `headrace login --profile` has it.")],
    as_json: AsJson = False,
) -> None:
    """Forget a profile and its token. The token itself stays valid until `headrace token revoke`."""
    from headrace.profiles import forget_profile

    forgotten = forget_profile(profile)
    answer = LoggedOut(profile, forgotten.server)
    show(answer, as_json, lambda console: console.print(f"{profile}: {forgotten.server} is forgotten"))
