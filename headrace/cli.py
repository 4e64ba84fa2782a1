"""The `headrace` command: finds the verb, and turns faults into one line and an exit code."""

import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from bundles.core.errors import Failed, HeadraceError
from headrace.completion import VARIABLE, Word, learn_shells
from headrace.logs import configure_logs
from headrace.streams import drop_output, prepare_streams
from headrace.terminal import Exit, exit_with

# In the order of the help. Each is a module of `headrace.verbs`, which has its Typer as `app`.
VERBS = (
    "publish",
    "publish-batch",
    "verify",
    "diff",
    "provenance",
    "keys",
    "builders",
    "rollout",
    "rollback",
    "smoke",
    "pin",
    "block",
    "policy",
    "tenant",
    "plan",
    "retire",
    "why",
    "who",
    "history",
    "events",
    "errors",
    "audit",
    "backup",
    "restore",
    "serve",
    "collect",
    "export-static",
    "controller",
    "notify",
    "doctor",
    "completion",
    "demo",
)


class _Verbs(TyperGroup):
    """Loads a verb when it is asked for: to load all of them takes longer than most verbs take."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: dict[str, Any] = dict.fromkeys(VERBS)  # what Typer proposes for a word that is none

    def list_commands(self, _: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, _: Any, name: str) -> Any:
        if name not in VERBS:
            return None
        command = get_command(import_module(f"headrace.verbs.{name.replace('-', '_')}").app)
        command.name = name
        return command

    def shell_complete(self, context: Any, incomplete: str) -> Any:
        """The verbs by name alone: who presses TAB does not wait until all are loaded."""
        if incomplete.startswith("-"):
            return super().shell_complete(context, incomplete)
        return [Word(verb) for verb in VERBS if verb.startswith(incomplete)]


app = typer.Typer(
    cls=_Verbs,
    name="headrace",
    help="An async CDN origin and release manager for JavaScript SDKs.",
    no_args_is_help=True,
    add_completion=False,  # `headrace completion`: Typer's own would write into its user's files
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    pass


def main() -> None:
    """The console script."""
    prepare_streams()
    configure_logs()
    if VARIABLE in os.environ:
        learn_shells()
    try:
        app()
    except SystemExit as end:
        # How Typer and rich take it; who pipes into `head` expects to see what SIGPIPE would have left.
        if isinstance(end.__context__, BrokenPipeError):
            drop_output()
            sys.exit(Exit.READER_LEFT)
        raise
    except HeadraceError as fault:
        exit_with(fault)
    except OSError as error:  # of a file that nobody expected to fail
        exit_with(Failed(f"{error.filename or 'the system'}: {error.strerror or error}"))
