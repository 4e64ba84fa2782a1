"""`headrace errors`."""

from typing import TYPE_CHECKING

import typer

from headrace.asking import Asking, send
from headrace.options import (
    DEFAULT_DATA,
    DEFAULT_ENVIRONMENT,
    AsJson,
    Data,
    EnvironmentName,
    HealthDatabase,
    ProductName,
    VersionText,
    example,
)
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.error import ErrorsView

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace errors posthog-js 1.4.2"))
def errors(
    product: ProductName,
    version: VersionText,
    environment: EnvironmentName = DEFAULT_ENVIRONMENT,
    data: Data = DEFAULT_DATA,
    health_database: HealthDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Show a build's errors in groups, each with a stack in the sources by the source maps published with it."""
    from api.operations.builds import ReadErrors

    answer = send(
        ReadErrors(product=product, version=version, environment=environment),
        Asking(data, None, health_database=health_database),
    )
    show(answer, as_json, lambda console: _draw(console, answer))


def _draw(console: "Console", answer: "ErrorsView") -> None:
    from headrace.error_text import draw_group

    count = len(answer.groups)
    found = "no errors" if not count else f"{count} {'group' if count == 1 else 'groups'} of errors"
    console.print(f"{answer.product}@{answer.version} ({answer.environment}): {found}")
    for group in answer.groups:
        console.print()
        draw_group(console, group)
