"""`headrace completion`."""

from typing import Annotated

import msgspec
import typer

from headrace.completion import Shell, script_for
from headrace.options import AsJson, example
from headrace.terminal import show

app = typer.Typer(add_completion=False)


class Script(msgspec.Struct, frozen=True):
    """What a shell is to read at its start."""

    shell: Shell
    script: str


@app.command(epilog=example("headrace completion fish | source", "source <(headrace completion bash)"))
def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that is to complete verbs and options.")],
    as_json: AsJson = False,
) -> None:
    """Print the script that has a shell complete verbs and options at TAB."""
    script = Script(shell, script_for(shell))
    show(script, as_json, lambda console: console.print(script.script))
