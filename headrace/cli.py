"""The `headrace` command: finds the verb, and turns faults into one line and an exit code."""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bundles.core.errors import Failed, HeadraceError
from headrace import __version__
from headrace.completion import VARIABLE, Word, learn_shells
from headrace.exits import Exit, exit_with
from headrace.late import load_verb
from headrace.streams import drop_output, prepare_streams
from headrace.values import read_plainly

# In the order of the help, which is made of this alone: each with the first sentence of its own help.
# Each is a module of `headrace.verbs`, which has its Typer as `app`.
VERBS = {
    "publish": "Make an immutable, signed, compressed build.",
    "publish-batch": "Publish many small builds in one run, such as tenants' content; one fault does not stop the "
    "others.",
    "verify": "Re-read every byte of a product's builds, and name each damaged file or attestation (exit code 1).",
    "diff": "Say how much each file grew from build A to build B, in raw, br and delta bytes.",
    "provenance": "Say how a build was made, and who attests that.",
    "keys": "The keys that sign builds and snapshots.",
    "builders": "The builders whose attestations of builds are believed.",
    "rollout": "Move a build to tenants, stage by stage.",
    "rollback": "Flip a channel back to an earlier stable build, in one revision and without stages.",
    "smoke": "Tests that a candidate must pass before it leaves staging.",
    "pin": "Hold a tenant at the build it has tested.",
    "block": "Keep a build from everyone, pinned or not.",
    "policy": "The vendor's rules for rollouts, freezes, pins, approvals and checks.",
    "apply": "Make rules and roles as a file declares them: what differs is shown first, and nothing else is "
    "changed.",
    "tenant": "What is known of tenants, for rollouts to go by.",
    "token": "Tokens that pipelines and people ask the admin API with.",
    "plan": "Say which tenants a change would move, by count and by name, without making it.",
    "retire": "Retire old builds that nobody needs, and remove blobs that no build needs; without --apply, only "
    "show it.",
    "why": "Say which build a tenant gets, which rule chose it, and what would change that, and when.",
    "who": "List who is left on a build, of the tenants that are known.",
    "history": "List a product's changes, the newest last: who made them, when and why.",
    "events": "Print each change on a line, the oldest first; with --json each line is a JSON document.",
    "errors": "Show a build's errors in groups, each with a stack in the sources by the source maps published "
    "with it.",
    "audit": "Who changed what, when and why.",
    "backup": "Write all that the control database holds into a sealed file, at one moment, while others go on.",
    "restore": "Put a backup into the control database, of either kind: all of it, verified, or nothing.",
    "serve": "Run the origin.",
    "collect": "Collect beacons: what SDKs report of how they went.",
    "export-static": "Write what the origin would answer as files and a list of headers, for S3 to fail over to.",
    "controller": "Run the release controller, which does by itself what is due.",
    "api": "Run the admin API: what the command line does, over HTTP.",
    "person": "People and groups that log in, and what each is granted.",
    "publisher": "Trusted publishers: pipelines that publish without a secret.",
    "login": "Keep a server and a token for it as a profile.",
    "logout": "Forget a profile and its token.",
    "notify": "Who is told of what happens (docs/notifications.md).",
    "doctor": "Check a set-up, and say how to mend it: keys, clock, store, databases, snapshot, policy, origin "
    "and edge.",
    "completion": "Print the script that has a shell complete verbs and options at TAB.",
    "demo": "Show the main job on real SDK builds, in a folder of its own that is removed afterwards.",
}


class _Verbs(TyperGroup):
    """Loads a verb when it is asked for: to load all of them takes longer than most verbs take."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: dict[str, Any] = dict.fromkeys(VERBS)  # what Typer proposes for a word that is none

    def list_commands(self, _: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, _: Any, name: str) -> Any:
        return load_verb(name) if name in VERBS else None

    def get_help_option(self, context: Any) -> Any:
        return read_plainly(super().get_help_option(context))

    def format_commands(self, _: Any, formatter: Any) -> None:
        """The verbs by their table: the help waits for none to be loaded."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

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
    rich_markup_mode=None,  # help is plain text: what rich draws it with takes as long to load as all else
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script."""
    prepare_streams()
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
