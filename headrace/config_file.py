"""A verb's options in a TOML file: `cache-mib = 512` is `--cache-mib 512`."""

from pathlib import Path

import typer

from bundles.core.errors import Invalid
from headrace.toml_file import read_toml

_MAX_BYTES = 64 * 1024
_OF_THE_COMMAND_LINE = frozenset({"config", "reload-config", "json", "help"})


def take_options(context: typer.Context, file: Path | None) -> Path | None:
    """Take from the file what the command line and the environment leave open.

    Raises `Invalid` for a file that is no TOML, an unknown option, or a value that is no value of one.
    """
    if file is None:
        return None
    options = {parameter.opts[0].removeprefix("--"): parameter for parameter in context.command.params}
    known = options.keys() - _OF_THE_COMMAND_LINE
    taken = {}
    for name, value in read_toml(file, _MAX_BYTES, "file of options").items():
        if name not in known:
            raise Invalid(f"{file}: there is no option {name!r}; known are {', '.join(sorted(known))}")
        option = options[name]
        _check_kind(file, name, value, is_flag=getattr(option, "is_flag", False))
        try:
            # By its text, as on the command line: 1.5 is not taken for 1.
            taken[option.name] = option.process_value(context, value if isinstance(value, bool) else str(value))
        except typer.BadParameter as error:
            raise Invalid(f"{file}: {name}: {error.message}") from None
    context.default_map = taken
    return file


def _check_kind(file: Path, name: str, value: object, *, is_flag: bool) -> None:
    if is_flag != isinstance(value, bool):
        raise Invalid(f"{file}: {name} is {'true or false' if is_flag else 'a number or a text in quotes'}")
    if not isinstance(value, bool | int | float | str):
        raise Invalid(f"{file}: {name} is a number or a text in quotes")
