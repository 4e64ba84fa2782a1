"""Reads what is typed for an option as Typer does, and without pydantic where it is taken as it is.

Typer reads every value by pydantic, even the lack of one, and that takes as long to load as all else of Typer.
Text, paths, and what is of its type already, as defaults are, come to the same without it.
"""

import os
from pathlib import Path
from typing import Any, get_args


def read_plainly(parameter: Any) -> Any:
    """The same option or argument, whose values are taken as they are where they may be."""
    parameter._runtime_param = _Plain()
    return parameter


class _Plain:
    """Stands where Typer keeps how a parameter's values are read, and gives way to Typer's own for all others."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The parameter's value. Raises as Typer does."""
        is_many, kind = param.multiple or param.nargs == -1, param.type_descriptor.annotation
        if value is None:
            return () if is_many else None
        if is_many and isinstance(value, list | tuple):
            (kind,) = get_args(kind)
            if all(_is_plain(each, kind) for each in value):
                return [_taken(each, kind) for each in value]
        elif _is_plain(value, kind):
            return _taken(value, kind)
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _is_plain(value: Any, kind: Any) -> bool:
    if kind is Path:
        # What is there and can't be read, Typer has words for.
        return os.access(value, os.R_OK) or not os.access(value, os.F_OK)
    return type(value) is kind


def _taken(value: Any, kind: Any) -> Any:
    return Path(value) if kind is Path else value
