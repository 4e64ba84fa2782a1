"""A verb's options in a TOML file: `cache-mib = 512` is `--cache-mib 512`."""

from pathlib import Path

import typer

from bundles.core.errors import Invalid
from headrace.toml_file import read_toml

_MAX_BYTES = 64 * 1024


def take_options(context: typer.Context, file: Path | None) -> Path | None:
    """Take from the file what the command line and the environment leave open.

    Raises `Invalid` for a file that is no TOML, an unknown option, or a value that is no value of one.
    """
    if file is not None:
        options = {
            parameter.opts[0].removeprefix("--"): parameter
            for parameter in context.command.params
            if not parameter.is_eager
        }
        taken = {}
        for name, value in read_toml(file, _MAX_BYTES, "file of options").items():
            if name not in options:
                raise Invalid(f"{file}: there is no option {name!r}; known are {', '.join(sorted(options))}")
            _check_kind(file, name, value, is_flag=getattr(options[name], "is_flag", False))
            taken[options[name].name] = value
        context.default_map = taken
    return file


def _check_kind(file: Path, name: str, value: object, *, is_flag: bool) -> None:
    if is_flag and not isinstance(value, bool):
        raise Invalid(f"{file}: {name} is true or false")
    if not is_flag and type(value) not in (int, str):
        raise Invalid(f"{file}: {name} is a number or a text in quotes")
