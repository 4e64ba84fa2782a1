"""Writes the help of every verb as pages: `python -m headrace.help_pages FOLDER`, or `make docs`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer import Context
from typer.main import get_command

from headrace.cli import VERBS, app

_MADE = "<!-- Made by `make docs` from the program: change the verb's options or docstring, and make it again. -->"
_EXIT_CODES = "All verbs have the same [exit codes](../cli.md#exit-codes)."
_WIDTH = 80


def pages() -> dict[str, str]:
    """Each page by its file's name: one for each verb, with all of its subverbs, and the index."""
    root = Context(get_command(app), info_name="headrace", terminal_width=_WIDTH)
    made = {f"{verb}.md": _page(root, verb) for verb in VERBS}
    return {"README.md": _index(), **made}


def _index() -> str:
    rows = [f"| [`{verb}`]({verb}.md) | {said} |" for verb, said in VERBS.items()]
    return "\n".join([_MADE, "", "# The verbs", "", "| `headrace` | |", "|---|---|", *rows, "", _EXIT_CODES, ""])


def _page(root: Context, verb: str) -> str:
    command = root.command.get_command(root, verb)  # type: ignore[attr-defined]
    sections = [f"# headrace {verb}"]
    for context in _contexts(Context(command, info_name=verb, parent=root, terminal_width=_WIDTH)):
        if context.command is not command:
            sections.append(f"## {context.command_path}")
        lines = (line.rstrip() for line in context.get_help().splitlines())
        sections.append("\n".join(["```text", *lines, "```"]))
    return "\n\n".join([_MADE, *sections, _EXIT_CODES]) + "\n"


def _contexts(context: Context) -> Iterator[Context]:
    """That of a command, and those of its subcommands."""
    yield context
    subcommands: dict[str, Any] = getattr(context.command, "commands", {})
    for name, command in subcommands.items():
        yield from _contexts(Context(command, info_name=name, parent=context, terminal_width=_WIDTH))


def main() -> None:
    """Write the pages into the folder, and remove those of verbs that are gone."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    made = pages()
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
