"""Loads a verb so that its help waits for nothing that only its work needs.

The rule for verbs: a module of `headrace.verbs` has the options, and what is drawn. What does the work, and takes
long to load, it imports as a module that is named in `LATE`, as in `from headrace import wiring`.
"""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import LazyLoader, find_spec, module_from_spec
from typing import Any

from typer import Context
from typer.main import get_command

# They are loaded when something of them is first used, and not where a verb imports them.
LATE = (
    "api.perform",
    "headrace.access_wiring",
    "headrace.controller_run",
    "headrace.declared",
    "headrace.doctor.examine",
    "headrace.event_lines",
    "headrace.policy_file",
    "headrace.receivers",
    "headrace.remote",
    "headrace.service_wiring",
    "headrace.sources",
    "headrace.uploads",
    "headrace.wiring",
)

# They work on a data folder alone: who has chosen a server with a profile must not take one for the other.
LOCAL = {
    *("verify", "keys", "builders", "backup", "restore", "export-static"),
    *("serve", "collect", "controller", "api", "doctor"),
}


def load_verb(name: str) -> Any:
    """The verb's command, with its subcommands."""
    for path in LATE:
        _load_late(path)
    app = import_module(f"headrace.verbs.{name.replace('-', '_')}").app
    app.rich_markup_mode = None  # as of the whole command
    command = get_command(app)
    command.name = name
    for each in _below(command):
        absent_is_false(each.get_help_option(Context(each)))
        each.short_help = first_sentence(each.help)
        if each.callback is not None:
            each.callback = _begun(each.callback, is_local=name in LOCAL)
    return command


def first_sentence(text: str) -> str:
    """What a list of commands says of one; Typer's own cuts it off in the middle."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    first, stop, _ = paragraph.partition(". ")
    return first + stop.rstrip()


def absent_is_false(option: Any) -> Any:
    """The option of which Typer would find out by pydantic what its absence means, and that is slow to load."""
    option.default = False
    return option


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


def _load_late(path: str) -> None:
    """Have `from package import name` give a module that loads once an attribute of it is asked for."""
    if path in sys.modules:
        return
    spec = find_spec(path)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(path)
    spec.loader = LazyLoader(spec.loader)
    module = module_from_spec(spec)
    sys.modules[path] = module
    spec.loader.exec_module(module)
    package, _, name = path.rpartition(".")
    setattr(import_module(package), name, module)  # else the import statement would look into the module
