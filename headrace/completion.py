"""What a shell asks for when its user presses TAB, as Typer's scripts for the shells ask it."""

from dataclasses import dataclass
from enum import StrEnum

# Typer names these in no list of what it exports, and gives no other way to them than options of its own.
from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

PROGRAM = "headrace"
VARIABLE = "_HEADRACE_COMPLETE"


class Shell(StrEnum):
    """The shells that can be helped."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@dataclass(frozen=True)
class Word:
    """A completion in the form that Typer's shells print."""

    value: str
    help: str | None = None
    type: str = "plain"


def script_for(shell: Shell) -> str:
    """What the shell is to read at its start."""
    return str(get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell))


def learn_shells() -> None:
    """Have Typer know the shells, before one asks."""
    completion_init()
