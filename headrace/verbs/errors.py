"""`headrace errors`."""

import typer
from rich.console import Console

from api.operations.builds import ReadErrors
from api.views.error import ErrorsView
from headrace.asking import Asking, send
from headrace.error_text import draw_group
from headrace.options import (
    DEFAULT_DATA,
    AsJson,
    Data,
    EnvironmentName,
    HealthDatabase,
    ProductName,
    VersionText,
    example,
)
from headrace.terminal import show
from release.core.names import PRODUCTION

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace errors posthog-js 1.4.2"))
def errors(
    product: ProductName,
    version: VersionText,
    environment: EnvironmentName = PRODUCTION,
    data: Data = DEFAULT_DATA,
    health_database: HealthDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Show a build's errors in groups, each with a stack in the sources by the source maps published with it."""
    answer = send(
        ReadErrors(product=product, version=version, environment=environment),
        Asking(data, None, health_database=health_database),
    )
    show(answer, as_json, lambda console: _draw(console, answer))


def _draw(console: Console, answer: ErrorsView) -> None:
    count = len(answer.groups)
    found = "no errors" if not count else f"{count} {'group' if count == 1 else 'groups'} of errors"
    console.print(f"{answer.product}@{answer.version} ({answer.environment}): {found}")
    for group in answer.groups:
        console.print()
        draw_group(console, group)
