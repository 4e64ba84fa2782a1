"""Writes the help of every verb as pages, and the schemas of its JSON: `make docs`.

It is `python -m headrace.help_pages FOLDER`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer import Context
from typer.main import get_command

from api.core.operation import route_of
from headrace.asks import ASKS, roles_of
from headrace.cli import VERBS, app
from headrace.payloads import LINES, PAYLOADS, schema_of

_MADE = "<!-- Made by `make docs` from the program: change the verb's options or docstring, and make it again. -->"
_EXIT_CODES = "All verbs have the same [exit codes](../cli.md#exit-codes)."
_TABLE = "../access.md#who-may-do-what"
_WIDTH = 80


def pages() -> dict[str, str]:
    """Each file by its path: a page for each verb, with all of its subverbs, the index, and the schemas."""
    root = Context(get_command(app), info_name="headrace", terminal_width=_WIDTH)
    made = {f"{verb}.md": _page(root, verb) for verb in VERBS}
    schemas = {_schema_file(verb): json.dumps(schema_of(verb), indent=2) + "\n" for verb in (*PAYLOADS, *LINES)}
    return {"README.md": _index(), **made, **schemas}


def _schema_file(verb: str) -> str:
    return f"schemas/{verb.replace(' ', '-')}.json"


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
        path = context.command_path.removeprefix("headrace ")
        sections += [*_schema_line(path), *_roles_line(path)]
    return "\n\n".join([_MADE, *sections, _EXIT_CODES]) + "\n"


def _schema_line(verb: str) -> list[str]:
    if verb in PAYLOADS:
        return [f"With `--json`: a document of [this schema]({_schema_file(verb)})."]
    return (
        [f"With `--json`: on each line a document of [this schema]({_schema_file(verb)})."]
        if verb in LINES
        else []
    )


def _roles_line(verb: str) -> list[str]:
    if verb not in ASKS:
        return []
    names = ", ".join(f"`{route_of(operation).name}`" for operation in ASKS[verb])
    roles = ", ".join(f"`{role}`" for role in roles_of(verb))
    return [f"On a server it is for {roles}: it asks for {names} ([who may do what]({_TABLE}))."]


def _contexts(context: Context) -> Iterator[Context]:
    """That of a command, and those of its subcommands."""
    yield context
    subcommands: dict[str, Any] = getattr(context.command, "commands", {})
    for name, command in subcommands.items():
        yield from _contexts(Context(command, info_name=name, parent=context, terminal_width=_WIDTH))


def main() -> None:
    """Write the files into the folder, and remove those of verbs that are gone."""
    folder = Path(sys.argv[1])
    made = {folder / name: text for name, text in pages().items()}
    for old in {*folder.glob("*.md"), *folder.glob("schemas/*.json")} - made.keys():
        old.unlink()
    for file, text in made.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


if __name__ == "__main__":
    main()
