"""`headrace verify`."""

from typing import TYPE_CHECKING, Annotated

import typer

from bundles.core.errors import Failed
from headrace.options import DEFAULT_DATA, AsJson, Data, ProductName, SnapshotDatabase, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from headrace.verify_run import Verified

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace verify posthog-js 1.4.2"))
def verify(
    product: ProductName,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="One build. Else all of the product's.")
    ] = None,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Re-read every byte of a product's builds, and name each damaged file or attestation (exit code 1).

    A build that is gone altogether is named where the routing table needs it.
    """
    from headrace.verify_run import verify_builds

    found, fault = verify_builds(data, database, product, version)
    show(found, as_json, lambda console: _draw(console, found))
    if fault is not None:
        raise Failed(f"{fault}; whether builds that it needs are gone was not looked at")
    if not all(verified.is_well for verified in found):
        raise typer.Exit(1)


def _draw(console: "Console", found: "list[Verified]") -> None:
    for verified in found:
        bad = len(verified.damages) + sum(not each.is_well for each in verified.attestations)
        state = "all is well" if verified.is_well else verified.fault or f"{bad} damaged"
        console.print(f"{verified.product}@{verified.version}: {verified.files} files, {state}")
        for damage in verified.damages:
            console.print(f"  {damage.path} ({damage.encoding}): {damage.fault}")
        for attested in verified.attestations:
            console.print(f"  attestation {attested.predicate_type}: {attested}")
