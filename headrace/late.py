"""Loads a verb so that its help, its faults of usage and TAB wait for nothing that only its work needs.

The rule for verbs: a module of `headrace.verbs` imports at its top what its options and the types of its own
payload are made of. What does the work it imports in the function that does it, once that runs;
`tests/headrace/test_start.py` has the list of all that may be loaded before.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from typer import Context
from typer.main import get_command

from headrace.values import read_plainly

# They work on a data folder alone: who has chosen a server with a profile must not take one for the other.
LOCAL = {
    *("verify", "keys", "builders", "backup", "restore", "export-static"),
    *("serve", "collect", "controller", "api", "doctor"),
}


def load_verb(name: str) -> Any:
    """The verb's command, with its subcommands."""
    app = import_module(f"headrace.verbs.{name.replace('-', '_')}").app
    app.rich_markup_mode = None  # as of the whole command
    command = get_command(app)
    command.name = name
    for each in _below(command):
        for parameter in [*each.params, each.get_help_option(Context(each))]:
            read_plainly(parameter)
        each.short_help = first_sentence(each.help)
        if each.callback is not None:
            each.callback = _begun(each.callback, is_local=name in LOCAL)
    return command


def first_sentence(text: str) -> str:
    """What a list of commands says of one; Typer's own cuts it off in the middle."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    first, stop, _ = paragraph.partition(". ")
    return first + stop.rstrip()


def _below(command: Any) -> Iterator[Any]:
    """The command, its subcommands and theirs."""
    yield command
    for each in getattr(command, "commands", {}).values():
        yield from _below(each)


def _begun(callback: Callable[..., Any], *, is_local: bool) -> Callable[..., Any]:
    """The same, with logs from when it runs: structlog is slow to load, and help logs nothing.

    Where the verb is local, it refuses to run while a profile names a server.
    """

    def run(*arguments: Any, **options: Any) -> Any:
        from headrace.logs import configure_logs
        from headrace.profiles import refuse_profile

        configure_logs()
        if is_local:
            refuse_profile()
        return callback(*arguments, **options)

    return run
