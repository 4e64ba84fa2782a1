"""`headrace diff`."""

from pathlib import Path
from typing import Annotated

import typer

from bundles.core.errors import Invalid
from headrace.asking import Asking, send
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, example
from headrace.terminal import show

app = typer.Typer(add_completion=False)
_MAX_DIGITS = 18
_HELP = (
    "A published build as product@version, what a build system wrote (a folder, tar, tgz or zip), or a revision of"
    " the routing table."
)


@app.command(
    epilog=example(
        "headrace diff posthog-js@1.4.1 posthog-js@1.4.2",
        "headrace diff posthog-js@1.4.1 dist",
        "headrace diff 12 20",
    )
)
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=_HELP)],
    after: Annotated[str, typer.Argument(metavar="B", help=_HELP)],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a CI comment.")] = False,
    source_maps: Annotated[bool, typer.Option("--source-maps", help="Compare source maps too.")] = False,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say how much each file grew from build A to build B, in raw, br and delta bytes.

    Between two revisions: each channel, pin, block, policy and tenant that differs, with what it was and became.
    """
    if _is_revision(before) and _is_revision(after):
        if markdown or source_maps:
            raise Invalid("--markdown and --source-maps are of builds: leave them out to compare revisions")
        from api.operations.changes import DiffRevisions
        from headrace.revision_view import draw_revisions

        found = send(DiffRevisions(before=int(before), after=int(after)), Asking(data, database))
        show(found, as_json, lambda console: draw_revisions(console, found))
        return
    from headrace.diff_run import compare_builds, draw_markdown, draw_sizes

    draw = draw_markdown if markdown else draw_sizes
    view = compare_builds(data, before, after, source_maps=source_maps)
    show(view, as_json, lambda console: draw(console, view))


def _is_revision(text: str) -> bool:
    """A file or folder of that name comes first."""
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and not Path(text).exists()
